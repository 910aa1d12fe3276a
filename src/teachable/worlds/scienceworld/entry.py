"""The entry of ScienceWorld: its families, options and skills, and where its parts are."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from teachable.worlds.registry import WorldEntry
from teachable.worlds.scienceworld.families import FAMILIES

_Verb = Literal["go", "focus", "take", "move", "open", "close", "drop", "activate", "deactivate", "read", "eat", "wait"]
_NEEDED: tuple[_Verb, ...] = get_args(Literal["go", "focus", "take", "move"])


class Options(BaseModel):
    """How ScienceWorld is played: ``world.options``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    turn_limit_s: Annotated[float, Field(gt=0)] = Field(
        60.0, description="seconds after which one call of the Java machine counts as an engine fault"
    )
    verbs: tuple[_Verb, ...] = Field(
        (*_NEEDED, "open"), description="verbs of the commands that are offered; go, focus, take and move must be"
    )
    holders: tuple[str, ...] = Field(
        ("box",), description="how the names of containers end that things may be moved into; none: into all"
    )

    @field_validator("verbs")
    @classmethod
    def _enough(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if missing := [verb for verb in _NEEDED if verb not in value]:
            raise ValueError(f"no task can be done without {', '.join(missing)}")
        return value


class Making(BaseModel):
    """How ScienceWorld's games are made: ``tasks.options`` and ``tasks.test_options``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    simplifications: tuple[Literal["openContainers", "selfWateringFlowerPots"], ...] = Field(
        ("selfWateringFlowerPots",),
        description="ScienceWorld's simplifications beside openDoors and noElectricalAction, which all games have",
    )


WORLD = WorldEntry(
    name="scienceworld",
    families=FAMILIES,
    play="teachable.worlds.scienceworld.play:ScienceWorld",
    generator="teachable.generation.scienceworld:ScienceWorldGenerator",
    words="teachable.worlds.scienceworld.words:WORDS",
    reasons="teachable.worlds.scienceworld.reasons:explain",
    ready="teachable.worlds.java:require",
    options=Options,
    making=Making,
    skills=("go", "focus", "pick", "move", "open"),
    libraries=("scienceworld",),
)
