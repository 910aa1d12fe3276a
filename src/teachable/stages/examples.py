"""The training sets of the 14 runs, rendered as the student will read them, and their budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.stages.models import load_prompter
from teachable.stages.replay_examples import replay_of
from teachable.training.sets import SetSettings, matrix_sets

if TYPE_CHECKING:
    from teachable.stages.params import MakeExamples
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: MakeExamples) -> None:
    prompter = load_prompter(inputs["student"][0])
    examples, budget = matrix_sets(
        tables.read(inputs["labeled"][0], tables.LABELED),
        tables.read(inputs["advice"][0], tables.ADVICE),
        tables.read(inputs["panels"][0], tables.PANELS),
        prompter.render,
        prompter.count_tokens,
        SetSettings(
            seed=params.seed, examples_per_run=params.max_examples, plain=params.plain, trainings=params.trainings
        ),
        replay_of(inputs["replay"][0], params),
    )
    tables.write(examples, outputs["examples"], tables.EXAMPLES)
    tables.write(budget, outputs["budget"], tables.BUDGET)
