"""The whole episode as a conversation, the way agents are run: a step adds messages and changes none before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from teachable.student.errors import StudentError
from teachable.student.layouts.chat import ChatLayout
from teachable.student.prompt import Context, Transition

_PAST = tuple(  # an episode to see what a template does with
    Transition(command, "", "You are in a hall.", "", "hall\nexits: north", (command, "look"))
    for command in ("open the lantern", "examine the lantern")
)


class DialogueLayout(ChatLayout):
    """A system message, then for every decision a user message (what the last command gave, what is visible, the
    admissible commands) and the command as the assistant's.

    The prompt of a decision begins with that of the one before, so that a model which keeps its key-value states reads
    every message once (:mod:`teachable.student.prefixes`). Nothing is cut off: an episode must fit into the model's
    context. A document is written where it is first read, a patch into the message of the decision that it is for.
    As in `chat` thinking is switched off, and without a template the same text is written plainly.

    Raises StudentError for a template that drops or changes earlier messages, and for a context whose history does
    not say what was read.
    """

    name = "dialogue"
    version = 1

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer)
        if self.templated:
            self._check_past()

    def _check_past(self) -> None:
        context = Context("Look around.", "", "hall", "You see nothing.", _PAST, ("look",))
        written, place = self.render(context), 0
        for message in self.messages(context):
            place = written.find(message["content"], place)
            if place < 0:
                raise StudentError(
                    "the tokenizer's chat template does not write earlier messages as they are given, so that layout "
                    "dialogue cannot be used; set student.layout to chat"
                )

    def messages(self, context: Context) -> list[dict[str, str]]:
        """The conversation up to the decision, as a chat template is given it."""
        texts = list(self._decisions(context))
        first = f"Goal: {' '.join(context.goal.split())}\n\n{texts[0]}"
        found = self._messages(first)
        for behind, text in zip(context.history, texts[1:], strict=True):
            found.append({"role": "assistant", "content": behind.command})
            found.append({"role": "user", "content": text})
        return found

    def _decisions(self, context: Context) -> Iterator[str]:
        """What is read at every decision, this one last."""
        patched = len(context.history) if context.patched is None else context.patched
        if context.patch and not 0 <= patched <= len(context.history):
            raise StudentError(f"the patch is for decision {patched}, of {len(context.history)} that lie behind")
        known = ""
        for index, behind in enumerate(context.history):
            if not behind.commands:
                raise StudentError(
                    "the history does not say which commands there were, which the layout dialogue writes; play the "
                    "episode again, or set student.layout to chat"
                )
            patch = context.patch if index == patched else ""
            yield _decision(behind.before, behind.memo, known, behind.scene, patch, behind.commands)
            known = behind.memo
        patch = context.patch if patched == len(context.history) else ""
        yield _decision(context.observation, context.memo, known, context.scene, patch, context.commands)

    def render(self, context: Context) -> str:
        messages = self.messages(context)
        if not self.templated:
            said = [message["content"] for message in messages]
            asked = [f"{text}\n\nCommand:" for text in said[::2]]
            answered = [f" {command}\n\n" for command in said[1::2]]
            return "".join(part for pair in zip(asked, [*answered, ""], strict=True) for part in pair)
        return self._turn.close(self._apply(messages))


def _decision(observation: str, memo: str, known: str, scene: str, patch: str, commands: tuple[str, ...]) -> str:
    parts = [f"Observation:\n{observation.strip()}", f"What you see and carry:\n{scene.strip()}"]
    if memo.strip() and memo != known and memo.strip() not in observation:
        parts.append(f"Notes:\n{memo.strip()}")
    if patch:
        parts.append(f"Example from a similar situation:\n{patch.strip()}")
    parts.append("Possible commands:\n" + "\n".join(f"- {command}" for command in commands))
    parts.append("Which command do you choose? Answer with the command only.")
    return "\n\n".join(parts)


LAYOUT = DialogueLayout
