"""The expert that a run is about: the game's solver, a teacher's endpoint, or a checkpoint, linked once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.errors import ConfigError, MissingInput
from teachable.pipeline.models import link, load_linked, machine
from teachable.rollouts.expert import ContextExpert, Expert, Oracle, Turn, checkpoint
from teachable.rollouts.policy import CachedPolicy
from teachable.student.digests import fingerprint
from teachable.student.errors import StudentError
from teachable.student.files import adapter_digest, commit_of, is_adapter, locate

if TYPE_CHECKING:
    from pydantic import BaseModel

    from teachable.config import model as c
    from teachable.config.expert import Expert as Section
    from teachable.student.model import Student

ADAPTER = "expert"  # the name of an expert's adapter on the student
AGAIN = "snakemake -c 1 --forcerun link_expert"


def beside(params: BaseModel) -> Mapping[str, Any]:
    """What ``link-expert`` reads beside its inputs, for its key: the content of the model or adapter, and on which
    device in which precision it runs here. Raises MissingInput where it is not on this machine."""
    student: c.Student = params.student  # type: ignore[attr-defined]
    expert: Section = params.expert  # type: ignore[attr-defined]
    path = Path(expert.path or "")
    try:
        found = machine(student)
        if is_adapter(path):
            return {**found, "sha256": adapter_digest(path)}
        directory = locate(path, expert.revision)
        return {
            **found,
            "fingerprint": fingerprint(directory),
            "revision": commit_of(directory) or expert.revision,
        }
    except StudentError as problem:
        raise MissingInput(f"expert.path: {problem}") from problem


def link_expert(expert: Section, student: c.Student, base: Callable[[], Student]) -> dict[str, Any]:
    """Try out the checkpoint that plays on, and return its settings: an adapter of ``base`` by its content, another
    model as ``link-student`` records one.

    A model scores as section ``student`` says, but for its layout and its temperature. Raises StudentError, in one
    sentence, for anything about the checkpoint that would end a run later.
    """
    path = Path(expert.path or "")
    if is_adapter(path):
        loaded = base()
        loaded.add_adapter(ADAPTER, path)
        return {"kind": "adapter", "path": str(path), "sha256": adapter_digest(path), "base": loaded.fingerprint}
    section = student.model_copy(
        update={
            "source": "hf",
            "path": expert.path,
            "revision": expert.revision,
            "layout": expert.layout,
            "temperature": 1.0,
        }
    )
    return {"kind": "model", **link(section, None)}


@contextmanager
def expert_of(
    section: Section | None,
    linked: Mapping[str, Any] | None = None,
    *,
    student: Callable[[], Student] | None = None,
) -> Iterator[Expert]:
    """The expert that the configuration names, ready to be asked; None: the game's own solver.

    ``linked`` is what :func:`link_expert` recorded of a checkpoint; ``student`` gives the student that an adapter is
    for. Says at the end how many decisions a teacher left without a command. Raises StudentError where a checkpoint is
    no longer what was recorded, ConfigError where none was.
    """
    if section is None or section.source == "oracle":
        yield Oracle()
    elif section.source == "teacher":
        with _teacher(section) as playing:
            yield playing
    else:
        if linked is None:
            raise ConfigError("expert.source is checkpoint, and no expert.json of `link-expert` was given.")
        yield _checkpoint(section, linked, student)


@contextmanager
def _teacher(section: Section) -> Iterator[Expert]:
    from teachable.teacher.playing import Decision, Player

    assert section.teacher is not None
    player = Player(section.teacher)

    def answer(turns: Sequence[Turn]) -> list[str | None]:
        return player.commands(
            [
                Decision(
                    turn.moment.context().columns(),
                    f"expert/{turn.environment.task.task_id}@{len(turn.moment.path):02d}",
                    turn.repeat,
                )
                for turn in turns
            ]
        )

    try:
        yield ContextExpert(answer, name=section.name, deterministic=player.deterministic)
    finally:
        player.close()
    if player.unanswered:
        last = next(reversed(player.unanswered.values()))
        count = f"{len(player.unanswered)} of {player.asked}"
        print(f"{section.name}: no valid command at {count} decisions, the last: {last}", flush=True)


def _checkpoint(section: Section, linked: Mapping[str, Any], student: Callable[[], Student] | None) -> Expert:
    if linked["kind"] == "model":
        model = load_linked(linked, AGAIN)
        return checkpoint(CachedPolicy(model), None, name=section.name, temperature=section.temperature)
    if student is None:
        raise ConfigError("the expert is an adapter of the student, and no student was given.")
    base, path = student(), Path(linked["path"])
    if (found := adapter_digest(path)) != linked["sha256"] or base.fingerprint != linked["base"]:
        raise StudentError(
            f"{path} holds other weights ({found[:12]}...), or the student is another, than recorded in expert.json; "
            f"link it again: `{AGAIN}`"
        )
    base.add_adapter(ADAPTER, path)
    # the student's log-probabilities are at its own temperature already
    return checkpoint(
        CachedPolicy(base), ADAPTER, name=section.name, temperature=section.temperature / base.temperature
    )
