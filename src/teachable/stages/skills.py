"""Which skills the failures lack, by quadrant, beside those that were planted in the student."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.paper.skills import skills
from teachable.training.gaps import Gap
from teachable.worlds import get_words

if TYPE_CHECKING:
    from teachable.stages.params import Skills
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Skills) -> None:
    found = skills(
        tables.read(inputs["labeled"][0], tables.LABELED),
        {skill: Gap(gap.known, gap.otherwise) for skill, gap in params.gaps.items()},
        get_words(params.world_name).skill_of,
        seed=params.seed,
        repetitions=params.statistics.repetitions,
        level=params.statistics.level,
    )
    tables.write(found, outputs["skills"], tables.SKILLS)
