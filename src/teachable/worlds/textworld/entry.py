"""The entry of TextWorld: its families, options and skills, and where its parts are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from teachable.worlds.registry import WorldEntry
from teachable.worlds.textworld.families import FAMILIES


class Options(BaseModel):
    """How TextWorld is played: ``world.options``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    turn_limit_s: Annotated[float, Field(gt=0)] = Field(
        20.0, description="seconds after which one turn of the engine counts as an engine fault"
    )
    prune: tuple[Literal["put", "insert", "close", "drop", "lock"], ...] = Field(
        ("put", "insert", "close", "drop"),
        description="verbs that are left out of the admissible commands; no plan of these families needs them",
    )


class Making(BaseModel):
    """How TextWorld's games are made: ``tasks.options`` and ``tasks.test_options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    foods: Literal["train", "test"] = Field(
        "train",
        description="foods and preparations: those of TextWorld's training list, or also those that its test list adds",
    )


WORLD = WorldEntry(
    name="textworld",
    families={name: family.about for name, family in FAMILIES.items()},
    play="teachable.worlds.textworld.play:TextWorld",
    generator="teachable.generation.textworld:TextWorldGenerator",
    words="teachable.worlds.textworld.words:WORDS",
    reasons="teachable.worlds.textworld.reasons:explain",
    options=Options,
    making=Making,
    skills=("go", "open", "take", "slice", "dice", "chop", "oven", "stove", "grill", "examine", "prepare", "eat"),
    libraries=("textworld",),
)
