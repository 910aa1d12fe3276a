"""The configuration's sections ``teacher`` and ``judge``: who gives advice, how it is asked, and for how much money at
most; and who may judge it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from teachable.config.section import NO_TRUTH, OPERATIONAL, Above0, Count, From0, LocalPath, Positive, Section

OPENAI_URL = "https://api.openai.com/v1"


class Price(Section):
    """US dollars per million tokens."""

    input: From0 = Field(description="US dollars per million prompt tokens")
    output: From0 = Field(description="US dollars per million completion tokens")


def _plain_url(value: str | None) -> str | None:
    parts = urlsplit(value or "http://none")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must look like http://host:port/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no user, password, query or fragment; a key belongs into the environment")
    return value and value.rstrip("/")


def _name_and_no_key(value: str | None) -> str | None:
    if value and not re.fullmatch("[A-Z_][A-Z0-9_]*", value):
        raise ValueError("must be the name of an environment variable, in capitals; the key itself belongs there")
    return value


class Teacher(Section):
    """Who is asked, how, and for how much money at most.

    The key itself is never a setting: it is read from the environment variable ``api_key_env`` when the first
    request has to be made. An empty ``api_key_env`` is for servers that want none.
    """

    source: Literal["oracle", "openai"] = Field(
        description="oracle: the game's solver; openai: any compatible endpoint"
    )
    model: str = Field(description="model name sent to the endpoint")
    base_url: str | None = Field(description="endpoint; null for api.openai.com")
    api_key_env: Annotated[str, OPERATIONAL] = Field(description="environment variable that holds the key")
    temperature: From0 | None = Field(
        description="sampling temperature of the teacher; null: not sent, for models that refuse it"
    )
    max_retries: Count = Field(description="further attempts after a transport error or an invalid answer")
    timeout_s: Annotated[Above0, OPERATIONAL] = Field(description="seconds one request may take, to the last byte")
    concurrency: Annotated[Positive, OPERATIONAL] = Field(description="requests in flight")
    budget_usd: Annotated[From0, OPERATIONAL] = Field(description="hard budget of this workflow, US dollars")
    prices: dict[str, Price] = Field(description="price per model, for the ledger and the budget")
    cache: Annotated[LocalPath, OPERATIONAL] = Field(
        description="directory of the request cache; paid answers live here and are never deleted"
    )
    response_format: Literal["json_schema", "json_object", "plain"] = Field(
        description="json_schema: strict structured output; the others for servers that lack it"
    )
    enum_actions: bool = Field(description="put the admissible commands into the schema (guided decoding)")
    max_tokens: Annotated[int, Field(ge=64), NO_TRUTH] = Field(description="tokens of one answer at most")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(description="its name at the endpoint")
    longest_wait_s: Annotated[Above0, OPERATIONAL] = Field(
        description="seconds to wait for a busy server in all; one that asks for longer stops the run"
    )
    extra_body: dict[str, Any] = Field(description="further fields of the request, for servers such as vLLM")

    _url = field_validator("base_url")(_plain_url)
    _key = field_validator("api_key_env")(_name_and_no_key)

    @model_validator(mode="after")
    def _priced(self) -> Teacher:
        if self.source == "openai" and self.model not in self.prices:
            raise ValueError(
                f"there is no price for the model {self.model!r}, so its budget cannot be kept: add "
                f"teacher.prices.{self.model}: {{input: ..., output: ...}} in US dollars per million tokens (0 for a "
                "server of your own)"
            )
        return self

    @property
    def url(self) -> str:
        return self.base_url or OPENAI_URL

    @property
    def endpoint(self) -> str:
        """Host, port and path: what tells one endpoint from another in the cache and the ledger."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}"


class Judge(Section):
    """Who may judge trajectories and advice, off by default. It is asked as the teacher is, and out of its budget."""

    episodes: Count = Field(
        description="failed episodes of the student's of which the judge is asked where they went wrong"
    )
    advice: Count = Field(description="snapshots with valid advice of which it is asked whether that is right")
    model: str | None = Field(description="model of the judge, priced in teacher.prices; null: teacher.model")
    base_url: str | None = Field(description="its endpoint; null: teacher.base_url")
    api_key_env: Annotated[str | None, OPERATIONAL] = Field(
        description="environment variable that holds its key; null: teacher.api_key_env"
    )

    _url = field_validator("base_url")(_plain_url)
    _key = field_validator("api_key_env")(_name_and_no_key)

    @property
    def asked(self) -> bool:
        return bool(self.episodes or self.advice)

    def endpoint(self, teacher: Teacher) -> Teacher:
        """How the judge is asked: ``teacher``'s settings with its own in their place."""
        own = {key: getattr(self, key) for key in ("model", "base_url", "api_key_env")}
        return teacher.model_copy(
            update={"source": "openai", **{key: value for key, value in own.items() if value is not None}}
        )
