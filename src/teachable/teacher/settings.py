"""What a teacher needs to know to do its work; the fields of the configuration's `teacher` section, and a few more."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from teachable.teacher.errors import TeacherError

OPENAI_URL = "https://api.openai.com/v1"


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]


class TeacherSettings(BaseModel):
    """Who is asked, how, and for how much money at most.

    The key itself is never a setting: it is read from the environment variable ``api_key_env`` when the first
    request has to be made. An empty ``api_key_env`` is for servers that want none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["oracle", "openai"] = "oracle"
    model: str = "gpt-4o-mini"
    base_url: str | None = None  # null: api.openai.com
    api_key_env: str = "OPENAI_API_KEY"
    temperature: Annotated[float, Field(ge=0)] | None = 0.0  # null: not sent, for models that refuse it
    max_retries: Annotated[int, Field(ge=0)] = 4  # further attempts after a transport error, or an invalid answer
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    concurrency: Annotated[int, Field(ge=1)] = 8
    budget_usd: Annotated[float, Field(ge=0)] = 20.0  # over everything the ledger beside the cache has recorded
    prices: dict[str, Price] = {"gpt-4o-mini": Price(input=0.15, output=0.60)}
    cache: str = ".cache/teacher"
    # How the answer is made to fit the schema: `json_schema` (strict structured output), `json_object`, or
    # `plain` (instructions only, the first JSON object in the text is read) for servers that lack the former.
    response_format: Literal["json_schema", "json_object", "plain"] = "json_schema"
    enum_actions: bool = False  # put the admissible commands into the schema, for servers with guided decoding
    max_tokens: Annotated[int, Field(ge=64)] = 600  # of one answer
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    longest_wait_s: Annotated[float, Field(gt=0)] = 300.0  # a server that asks for a longer pause stops the run
    extra_body: dict[str, Any] = {}  # further fields of the request, e.g. {"chat_template_kwargs": {...}} for vLLM

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must look like http://host:port/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no user, password, query or fragment; a key belongs in `api_key_env`")
        return value.rstrip("/")

    @property
    def url(self) -> str:
        return self.base_url or OPENAI_URL

    @property
    def endpoint(self) -> str:
        """Host, port and path: what tells one endpoint from another in the cache and the ledger."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}"

    @property
    def price(self) -> Price:
        """The price of the model; :class:`TeacherError` when it is not in the table."""
        if self.model not in self.prices:
            raise TeacherError(
                f"teacher: there is no price for the model {self.model!r}, so its budget cannot be kept: add "
                f"`teacher.prices.{self.model}: {{input: ..., output: ...}}` in US dollars per million tokens (0 for a "
                "server of your own)."
            )
        return self.prices[self.model]
