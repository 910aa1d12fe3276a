"""The configuration's section ``expert``: who takes over from the student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from teachable.config.section import From0, LocalPath, Section
from teachable.config.teacher import Teacher
from teachable.terms import expert_name


class Expert(Section):
    """Who plays on in p_expert, gives the forced command, continues for recovery and plays setup B.

    ``teacher`` is complete once the configuration is resolved (:func:`completed`): section ``teacher`` with what is
    different for the endpoint that plays.
    """

    source: Literal["oracle", "teacher", "checkpoint"] = Field(
        description="oracle: the game's own solver; teacher: the endpoint of section `teacher` is asked at every "
        "decision; checkpoint: another model, or an adapter of the student"
    )
    teacher: Teacher | None = Field(
        description="for teacher: what differs from section `teacher` where the endpoint plays, e.g. {model: gpt-4o}; "
        "null: nothing"
    )
    path: LocalPath | None = Field(
        description="for checkpoint: directory or hub name of a model, or directory of a PEFT adapter of the student"
    )
    revision: str | None = Field(description="for checkpoint: commit of the model's hub repository")
    layout: str | None = Field(
        description="for checkpoint: how a decision is written down for another model; null: as its own file says, "
        "chat where there is none"
    )
    temperature: From0 = Field(
        description="for checkpoint: 0 plays the likeliest command, else commands are drawn from softmax(score / "
        "temperature)"
    )

    @model_validator(mode="after")
    def _whole(self) -> Expert:
        if self.source == "checkpoint" and not self.path:
            raise ValueError("expert.path is needed when expert.source is checkpoint")
        if self.source != "teacher" and self.teacher is not None:
            raise ValueError("expert.teacher is read when expert.source is teacher: set that, or leave it null")
        return self

    @property
    def name(self) -> str:
        """As rows and captions name it (:func:`teachable.terms.expert_name`)."""
        return expert_name(self.model_dump())


def completed(values: Any) -> Any:
    """The sections of a configuration, not yet validated, with ``expert.teacher`` filled in from section ``teacher``
    where the teacher plays or something is given for it. What is no mapping is left for the validation to name."""
    if not isinstance(values, Mapping):
        return values
    expert, teacher = values.get("expert"), values.get("teacher")
    if not (isinstance(expert, Mapping) and isinstance(teacher, Mapping)):
        return values
    own = expert.get("teacher") or {}
    if not isinstance(own, Mapping) or not (own or expert.get("source") == "teacher"):
        return values
    return {**values, "expert": {**expert, "teacher": {**teacher, **own, "source": "openai"}}}
