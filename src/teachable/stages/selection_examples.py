"""The training set of one selection run, as plain demonstrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.stages.models import load_prompter
from teachable.stages.replay_examples import replay_of
from teachable.training.sets import selection_sets

if TYPE_CHECKING:
    from teachable.stages.params import SelectionExamples
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: SelectionExamples) -> None:
    prompter = load_prompter(inputs["student"][0])
    examples, budget = selection_sets(
        tables.read(inputs["labeled"][0], tables.LABELED),
        tables.read(inputs["advice"][0], tables.ADVICE),
        tables.read(inputs["panels"][0], tables.PANELS),
        tables.read(inputs["selection"][0], tables.SELECTION),
        prompter.render,
        prompter.count_tokens,
        replay_of(inputs["replay"][0], params),
        expert=tables.read(inputs["expert"][0], tables.LABELED),
        target=params.k,
    )
    tables.write(examples, outputs["examples"], tables.EXAMPLES)
    tables.write(budget, outputs["budget"], tables.BUDGET)
