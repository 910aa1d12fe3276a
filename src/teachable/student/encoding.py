"""Text to tokens: prompts, and commands behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from teachable.student.errors import StudentError
from teachable.student.prompt import Layout

_ANCHOR = "\n"  # a line break is never merged with what follows
_SAMPLES = ("go north", "take apple", "42")


class Encoder:
    """The token ids of prompts and commands under one tokenizer and layout.

    `end`: the tokens that end an action. `pad`: a token to fill rows with; padding is masked out.

    Raises StudentError for a chat template behind whose messages nothing ends them.
    """

    def __init__(self, tokenizer: Any, layout: Layout) -> None:
        self.tokenizer = tokenizer
        self.layout = layout
        # SentencePiece writes a blank before whatever it is given: between prompt and command that blank is nobody's
        self._anchored = any(
            self._plain(layout.command_prefix + text) != self._behind(_ANCHOR, layout.command_prefix + text)
            for text in _SAMPLES
        )
        self._trailing = self._special_tokens_behind() if layout.special_tokens else 0
        self._commands: dict[str, list[int]] = {}
        self.end = self._end_of_action()
        self.pad = self._pad_token()

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _behind(self, anchor: str, text: str) -> list[int]:
        """Token ids of `text` where `anchor` stands before it."""
        before, whole = self._plain(anchor), self._plain(anchor + text)
        return whole[len(before) :] if whole[: len(before)] == before else self._plain(text)

    def _special_tokens_behind(self) -> int:
        """How many tokens the tokenizer itself puts behind a text, which would stand between prompt and command."""
        bare = self._plain(_SAMPLES[0])
        whole = list(self.tokenizer(_SAMPLES[0], add_special_tokens=True).input_ids)
        starts = [i for i in range(len(whole) - len(bare) + 1) if whole[i : i + len(bare)] == bare]
        return len(whole) - len(bare) - starts[0] if starts else 0

    def _end_of_action(self) -> list[int]:
        """The end of turn as the chat template writes it, up to its first special token; without one, a newline."""
        ids = self._behind(_SAMPLES[0], self.layout.end) if self._anchored else self._plain(self.layout.end)
        if not self.layout.templated:
            return ids
        special = {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
        for index, token in enumerate(ids):
            if token in special:
                return ids[: index + 1]
        if ids:
            return ids
        if self.tokenizer.eos_token_id is None:
            raise StudentError(
                "the tokenizer's chat template writes nothing behind an assistant's message and there is no "
                "end-of-text token, so no command would ever end; use a template that ends a turn"
            )
        return [int(self.tokenizer.eos_token_id)]

    def _pad_token(self) -> int:
        for token in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        return 0

    def prompts(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of each prompt."""
        encoded = self.tokenizer(list(prompts), add_special_tokens=self.layout.special_tokens).input_ids
        return [list(ids[: len(ids) - self._trailing]) for ids in encoded]

    def command(self, command: str) -> list[int]:
        """Token ids of a command behind any prompt, to its end: tokenised on its own, to be the same behind all."""
        found = self._commands.get(command)
        if found is None:
            text = self.layout.command_prefix + command
            found = [*(self._behind(_ANCHOR, text) if self._anchored else self._plain(text)), *self.end]
            self._commands[command] = found
        return found
