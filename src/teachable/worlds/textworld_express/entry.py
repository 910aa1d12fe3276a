"""The entry of TextWorldExpress: its families, options and skills, and where its parts are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from teachable.worlds.registry import WorldEntry
from teachable.worlds.textworld_express.families import FAMILIES


class Options(BaseModel):
    """How TextWorldExpress is played: ``world.options``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    turn_limit_s: Annotated[float, Field(gt=0)] = Field(
        20.0, description="seconds after which one call of the Java machine counts as an engine fault"
    )
    prune: tuple[Literal["put", "close"], ...] = Field(
        ("put", "close"),
        description="verbs that are left out of the admissible commands; put only where the goal needs none",
    )


class Making(BaseModel):
    """How TextWorldExpress's games are made: ``tasks.options`` and ``tasks.test_options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fold: Literal["train", "dev", "test"] = Field(
        "train", description="foods, things and problems: TextWorldExpress has other ones in each fold"
    )
    parameters: dict[str, dict[str, int]] = Field(
        {}, description="family -> parameters of its game that differ from the family's: `{easy: {numLocations: 2}}`"
    )

    @field_validator("parameters")
    @classmethod
    def _of_families(cls, value: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        for name in value:
            if name not in FAMILIES:
                raise ValueError(f"there is no family {name!r}; families: {', '.join(FAMILIES)}")
        return value


WORLD = WorldEntry(
    name="textworld_express",
    families={name: family.about for name, family in FAMILIES.items()},
    play="teachable.worlds.textworld_express.play:TextWorldExpress",
    generator="teachable.generation.textworld_express:TextWorldExpressGenerator",
    words="teachable.worlds.textworld_express.words:WORDS",
    reasons="teachable.worlds.textworld_express.reasons:explain",
    ready="teachable.worlds.java:require",
    options=Options,
    making=Making,
    skills=(
        "move",
        "open",
        "take",
        "put",
        "read",
        "slice",
        "dice",
        "chop",
        "oven",
        "stove",
        "grill",
        "prepare",
        "eat",
    ),
    libraries=("textworld-express",),
)
