"""What the student reads at a decision: a pure function of `Context`, in one of the layouts of `layouts/`.

A layout has a name and a version, and both are part of every checkpoint and adapter. Change the version with
any change to what `render` returns: a checkpoint read through another layout does not fail, it only answers
wrongly, so loading refuses a mismatch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from teachable.student.errors import LayoutMismatch, StudentError

Verbosity = Literal["compact", "full"]


class Transition(NamedTuple):
    """A decision that lies behind, and what came of it. What was read there may be left out where nobody asks for it
    (the layout `dialogue` does)."""

    command: str
    observation: str  # the engine's text that the command gave
    before: str = ""  # the observation at which it was chosen
    memo: str = ""  # memo, scene and commands as in `Context`
    scene: str = ""
    commands: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any], command: str, observation: str) -> Transition:
        """From a decision's columns (those of STEPS), the command chosen there and what it gave."""
        return cls(command, observation, row["observation"], row["memo"], row["scene"], tuple(row["commands"]))

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Transition:
        """From an entry of a stored `history`."""
        return cls(**{**row, "commands": tuple(row["commands"])})

    def columns(self) -> dict[str, Any]:
        """An entry of a stored `history`: the inverse of `read`."""
        return {**self._asdict(), "commands": list(self.commands)}


@dataclass(frozen=True, slots=True)
class Context:
    """All the student may know at one decision."""

    goal: str  # the task's objective
    memo: str  # documents read so far, "" before
    scene: str  # what is visible: room, things, exits, inventory
    observation: str  # the engine's text after the last command
    history: tuple[Transition, ...]  # oldest first
    commands: tuple[str, ...]  # admissible commands, in the order of the policy
    patch: str = ""  # text from the teacher, "" for none
    patched: int | None = None  # the decision (0 is the first) that the patch is for; None: this one

    @classmethod
    def of(cls, row: Mapping[str, Any], patch: str = "") -> Context:
        """That of a stored decision, a row of SNAPSHOTS, LABELED or DEMONSTRATIONS, with ``patch`` in its place."""
        return cls(
            goal=row["goal"],
            memo=row["memo"],
            scene=row["scene"],
            observation=row["observation"],
            history=tuple(map(Transition.read, row["history"])),
            commands=tuple(row["commands"]),
            patch=patch,
        )

    def columns(self) -> dict[str, Any]:
        """What a stored decision has of it: the inverse of :meth:`of`, without the patch."""
        return {
            "goal": self.goal,
            "memo": self.memo,
            "scene": self.scene,
            "observation": self.observation,
            "history": [transition.columns() for transition in self.history],
            "commands": list(self.commands),
        }


class Layout(Protocol):
    """A way to write a `Context` down."""

    name: str
    version: int
    verbosity: Verbosity  # of the teacher's patches: full for models that read long prompts
    templated: bool  # by the tokenizer's chat template
    special_tokens: bool  # whether tokenising the prompt must add the tokenizer's own start token
    command_prefix: str  # written between the prompt and a command
    end: str  # written behind a command; of a templated one, what counts ends at the first special token

    @classmethod
    def of(cls, record: Mapping[str, Any], tokenizer: Any) -> Layout: ...

    def render(self, context: Context) -> str: ...


def one_line(text: str) -> str:
    """`text` with every run of white space replaced by one blank."""
    return " ".join(text.split())


def shorten(text: str, characters: int) -> str:
    """At most `characters` of `text` in one line, cut between words."""
    line = one_line(text)
    if len(line) <= characters:
        return line
    cut = line.rfind(" ", 0, characters + 1)
    return line[: cut if cut > 0 else characters]


CHAT, DIALOGUE = "chat", "dialogue"


def layouts() -> list[str]:
    """The names of all layouts."""
    return sorted(path.stem for path in (Path(__file__).parent / "layouts").glob("[a-z]*.py"))


def _class_of(name: str) -> type[Layout]:
    if name not in layouts():
        raise StudentError(f"unknown prompt layout {name!r}; known are {', '.join(layouts())}")
    found: type[Layout] = import_module(f"teachable.student.layouts.{name}").LAYOUT
    return found


def layout_of(record: Mapping[str, Any], tokenizer: Any, layout: str | None = None) -> Layout:
    """The layout that a student's `record` names, else the one called `layout`, else chat.

    LayoutMismatch if the record names another one or another version of it; StudentError if there is no such layout,
    or if the record lacks what the layout needs.
    """
    made = _class_of(layout or str(record.get("layout", CHAT))).of(record, tokenizer)
    if record:
        check_layout("the student", record.get("layout"), record.get("layout_version"), made)
    return made


def verbosity_of(layout: str) -> Verbosity:
    """The verbosity of the patches for students of this layout; StudentError if there is no such layout."""
    return _class_of(layout).verbosity


def check_layout(owner: str, name: object, version: object, layout: Layout) -> None:
    """LayoutMismatch unless `owner` (a checkpoint or adapter) was made for this very `layout`."""
    if (name, version) != (layout.name, layout.version):
        raise LayoutMismatch(
            f"{owner} was made for prompt layout {name!r} version {version!r}, this student reads {layout.name!r} "
            f"version {layout.version}; make it again with this version, or use the one it was made with"
        )
