"""A recipe: everything an artifact depends on. Its canonical form hashes to the key of the artifact."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from teachable.errors import TeachableError

FORMAT = 1  # of recipes; part of every key, so another meaning of the fields is another key


class RecipeError(TeachableError):
    """A recipe cannot be keyed: a value without a canonical form, or one that looks like a secret."""


@dataclass(frozen=True)
class Recipe:
    """What makes an artifact: the same recipe is taken to give the same outputs."""

    stage: str
    code: str  # fingerprint of the code the stage can reach
    params: Mapping[str, Any] = field(default_factory=dict)  # JSON values, defaults filled in
    inputs: Mapping[str, Sequence[str]] = field(default_factory=dict)  # role -> digests, in order
    versions: Mapping[str, str] = field(default_factory=dict)  # library -> version
    outputs: Sequence[str] = ()  # roles
    notes: Mapping[str, Any] = field(default_factory=dict, compare=False)  # for `explain`; no part of the key

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.stage):
            raise RecipeError(f"{self.stage!r} cannot be the name of a stage: only letters, digits and '-_.'")
        _refuse_secrets(self.params, f"{self.stage}: params")

    def document(self) -> dict[str, Any]:
        """The recipe as JSON values, without the notes."""
        return {
            "format": FORMAT,
            "stage": self.stage,
            "code": self.code,
            "params": dict(self.params),
            "inputs": {name: list(digests) for name, digests in self.inputs.items()},
            "versions": dict(self.versions),
            "outputs": sorted(self.outputs),
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 (64 hex digits) of the canonical JSON of :meth:`document`."""
        return hashlib.sha256(canonical_json(self.document()).encode()).hexdigest()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Recipe:
        """The inverse of :meth:`document`. Raises :class:`RecipeError` for another format."""
        if document.get("format") != FORMAT:
            raise RecipeError(f"recipe format {document.get('format')!r}, this program reads {FORMAT}")
        try:
            return cls(
                **{name: document[name] for name in ("stage", "code", "params", "inputs", "versions", "outputs")}
            )
        except (KeyError, TypeError) as error:
            raise RecipeError(f"not a recipe: {error!r}") from error


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8 as is, shortest floats.

    Tuples are lists, ``-0.0`` is ``0.0``. Raises :class:`RecipeError` for NaN, infinities, other types and
    keys that are not strings, because they would have several spellings or none.
    """
    return json.dumps(_canonical(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _canonical(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if type(value) is int:
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise RecipeError(f"{where} is {value}, which JSON cannot hold; use null or a finite number")
        return value + 0.0
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise RecipeError(f"{where} has the key {name!r}; keys must be text")
        return {name: _canonical(item, f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise RecipeError(f"{where} is a {type(value).__name__}, which is no JSON value")


# Names that hold a secret rather than name one: "api_key" is refused, "api_key_env" and "max_tokens" are not.
_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|secret|secret[_-]?key|access[_-]?key|private[_-]?key|passw(?:or)?d|passphrase"
    r"|credentials?|bearer|(?:auth|access|api|hf|refresh|session)[_-]?token)$|^(?:token|authorization)$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"^(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|AKIA[A-Z0-9]{12,}"
    r"|xox[abp]-[\w-]{10,}|Bearer\s+\S{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----.*)$",
    re.DOTALL,
)


def _refuse_secrets(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str) and item and _SECRET_NAME.search(str(name)):
                raise RecipeError(
                    f"{where}.{name} looks like a secret, and recipes are stored in the clear: "
                    "pass the name of an environment variable instead"
                )
            _refuse_secrets(item, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_secrets(item, f"{where}[{index}]")
    elif isinstance(value, str) and _SECRET_VALUE.match(value):
        raise RecipeError(
            f"{where} holds what looks like a secret, and recipes are stored in the clear: "
            "pass the name of an environment variable instead"
        )
