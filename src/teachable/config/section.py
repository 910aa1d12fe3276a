"""What every section of the configuration is made of: its base class and the types of its values."""

from __future__ import annotations

import os.path
from collections import Counter
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")
OPERATIONAL = "operational"  # marks a knob that says how a job works and not what it makes: turning it reruns nothing


def _no_truth(value: Any) -> Any:
    """``true`` would pass for 1."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")
    return value


def _distinct(values: list[T]) -> list[T]:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} stands there twice")
    return values


# Last, so that a bound is one of the number and stands in the JSON schema.
NO_TRUTH = BeforeValidator(_no_truth)
Number = Annotated[float, NO_TRUTH]
Count = Annotated[int, Field(ge=0), NO_TRUTH]
Positive = Annotated[int, Field(ge=1), NO_TRUTH]
Fraction = Annotated[float, Field(ge=0, le=1), NO_TRUTH]
Above0 = Annotated[float, Field(gt=0), NO_TRUTH]
From0 = Annotated[float, Field(ge=0), NO_TRUTH]
Below1 = Annotated[float, Field(ge=0, lt=1), NO_TRUTH]
LocalPath = Annotated[str, AfterValidator(os.path.expanduser)]  # of a file or directory; a hub's name passes unchanged
Distinct = Annotated[list[T], AfterValidator(_distinct)]


class Section(BaseModel):
    """A closed, frozen section: an unknown key is an error, and nothing has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


def operational(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The operational knobs in the sections of ``model``, those of sections within sections too, as pydantic's
    ``include`` and ``exclude`` take them: ``{"teacher": {"budget_usd": True}}``."""
    found = {}
    for name, field in model.model_fields.items():
        inner = section_in(field.annotation)
        if inner is not None:
            knobs: dict[str, Any] = {
                key: True for key, knob in inner.model_fields.items() if OPERATIONAL in knob.metadata
            }
            knobs |= operational(inner)
            if knobs:
                found[name] = knobs
    return found


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field of this type holds, or may hold beside null; None for any other type."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    for one in parts:
        if isinstance(one, type) and issubclass(one, Section):
            return one
    return None
