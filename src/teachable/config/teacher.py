"""The configuration's section ``teacher``: who gives advice, how it is asked, and for how much money at most."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from teachable.config.section import NO_TRUTH, OPERATIONAL, Above0, Count, From0, Positive, Section

OPENAI_URL = "https://api.openai.com/v1"


class Price(Section):
    """US dollars per million tokens."""

    input: From0 = Field(description="US dollars per million prompt tokens")
    output: From0 = Field(description="US dollars per million completion tokens")


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
    cache: Annotated[str, OPERATIONAL] = Field(
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

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://none")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must look like http://host:port/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no user, password, query or fragment; a key belongs into the environment")
        return value and value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _name_and_no_key(cls, value: str) -> str:
        if value and not re.fullmatch("[A-Z_][A-Z0-9_]*", value):
            raise ValueError("must be the name of an environment variable, in capitals; the key itself belongs there")
        return value

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
