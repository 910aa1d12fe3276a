"""A student's prompts and tokens without its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachable.student.prompt import Context, Layout
from teachable.supervision import AdviceText, example


@dataclass(frozen=True, slots=True)
class Prompter:
    """Renders the examples that the student with this prompt ``layout`` and ``tokenizer`` learns from."""

    layout: Layout
    tokenizer: Any

    def render(self, snapshot: Mapping[str, Any], advice: Mapping[str, Any], format: str) -> tuple[str, str]:
        """Prompt and completion of the supervised example of a snapshot in one format."""
        text = AdviceText.from_rows(snapshot, advice)
        made = example(snapshot, text, format, verbosity=self.layout.verbosity)
        return self.layout.render(Context.of(snapshot, made.patch)), made.completion

    def render_decision(self, snapshot: Mapping[str, Any], command: str) -> tuple[str, str]:
        """Plain prompt and completion of a decision."""
        return self.layout.render(Context.of(snapshot)), command

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of every text, special ones not counted."""
        if not texts:  # which a tokenizer refuses
            return []
        return [len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False).input_ids]
