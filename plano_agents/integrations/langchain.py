# ruff: noqa: ANN401 - the overridden signatures are LangChain's
"""`ChatPlano`: the LangChain chat model that keeps its calls on one model.

It speaks OpenAI chat completions to a router (this package's, Plano, or any OpenAI-compatible server), sends the
request's affinity id (`plano_agents.affinity` says where it comes from), and puts what the router said about the
answer into ``response_metadata``. How the id gets onto a request is `ModelAffinityMixin`'s.
"""

import os
from typing import Any, Literal, Self

import openai
from langchain_core.language_models import LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from plano_agents.integrations.encodable import clean_value
from plano_agents.integrations.http_clients import (
    AsyncPlainCompletions,
    PlainCompletions,
    build_async_client,
    build_client,
    build_sdk_clients,
)
from plano_agents.integrations.langchain_affinity import ModelAffinityMixin
from plano_agents.integrations.langchain_reasoning import read_reasoning, restore_reasoning
from plano_agents.integrations.plano_headers import parse_plano_headers
from plano_agents.integrations.router_address import DEFAULT_BASE_URL, build_base_url, find_router

PROVIDER = "plano"
"""What ``response_metadata["model_provider"]`` and traces call this integration."""

_NO_KEY = "no-key"


class ChatPlano(ModelAffinityMixin, BaseChatOpenAI):
    """A LangChain chat model behind a router, one model per affinity id.

    Takes what `langchain_openai.ChatOpenAI` takes, less what only OpenAI's own service has. OpenAI's environment
    variables are not read: a router's key is not an OpenAI key, nor the other way round. For each call
    ``affinity_id=…`` may be given too, directly, through ``bind`` and ``bind_tools``, or as
    ``configurable["model_affinity_id"]``.

    Every answer's ``response_metadata`` has ``model_name`` (the provider's own), ``model_provider="plano"`` and,
    from a router that says so, ``plano`` (`PlanoMetadata`).

    Example:
        >>> from plano_agents import ChatPlano, model_affinity
        >>> llm = ChatPlano(model="gpt-4o-mini")
        >>> with model_affinity("run-1"):
        ...     stream = llm.stream("hello")  # belongs to run-1, whenever it is read
        >>> text = "".join(chunk.text for chunk in stream)
    """

    model_config = ConfigDict(populate_by_name=True, hide_input_in_errors=True)

    model_name: str = Field(default="", alias="model")
    """The model to ask for, as the router's configuration spells it; without one its default is asked for."""
    openai_api_base: str = Field(default="", alias="base_url", validate_default=True)
    """The router's address; else ``PLANO_BASE_URL``, else ``http://127.0.0.1:12000/v1``."""
    openai_api_key: SecretStr = Field(default=SecretStr(""), alias="api_key", validate_default=True)
    """The router's client key; else ``PLANO_API_KEY``, else a placeholder."""
    openai_proxy: str | None = None
    """The URL of a proxy to reach the router through."""
    max_retries: int | None = 2
    """How often a failed request is sent again."""
    stream_usage: bool | None = True
    """True if streams report the tokens used."""
    use_responses_api: Literal[False] = False
    """Always chat completions; stock LangChain changes the endpoint by the model's name."""
    include_response_headers: bool = True
    """True if the router's headers are read; the raw ones are kept too when this is set explicitly."""

    @field_validator("openai_api_base", mode="before")
    @classmethod
    def _complete_base_url(cls, value: str | None) -> str:
        return build_base_url(value or find_router() or DEFAULT_BASE_URL)

    @field_validator("openai_api_key", mode="before")
    @classmethod
    def _complete_api_key(cls, value: SecretStr | str | None) -> SecretStr | str:
        given = value.get_secret_value() if isinstance(value, SecretStr) else value
        return given or os.environ.get("PLANO_API_KEY") or _NO_KEY

    @field_validator("http_socket_options", check_fields=False)
    @classmethod
    def _refuse_socket_options(cls, value: object) -> None:
        if value is not None:
            raise ValueError("ChatPlano's clients are shared; give http_client and http_async_client instead.")

    @model_validator(mode="after")
    def validate_environment(self) -> Self:
        """Build the SDK's clients; takes the place of LangChain's, which reads OpenAI's and LangSmith's variables."""
        options: dict[str, Any] = {
            "default_headers": self.default_headers,
            "default_query": self.default_query,
        }
        if self.max_retries is not None:
            options["max_retries"] = self.max_retries
        if self.request_timeout is not None:
            options["timeout"] = self.request_timeout
        self.root_client, self.root_async_client = build_sdk_clients(
            self.openai_api_base,
            self.openai_api_key,
            organization=self.openai_organization,
            http_client=self.http_client or build_client(self.openai_proxy),
            http_async_client=self.http_async_client or build_async_client(self.openai_proxy),
            **options,
        )
        self.client = self.client or PlainCompletions(self.root_client)
        self.async_client = self.async_client or AsyncPlainCompletions(self.root_async_client)
        return self

    def _resolve_model_profile(self) -> ModelProfile | None:
        """None: the model that answers is the router's choice, so its name here says nothing about it."""

    def _should_stream(self, **kwargs: Any) -> bool:
        """Answers parsed by the SDK into a class come whole: their streams hide the headers."""
        return not isinstance(kwargs.get("response_format"), type) and super()._should_stream(**kwargs)

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload = super()._get_request_payload(input_, stop=stop, **kwargs)
        restore_reasoning(self._convert_input(input_).to_messages(), payload["messages"])
        # A model's half character, once in a transcript, would let no later request of its thread be sent.
        payload["messages"] = clean_value(payload["messages"])
        if not payload["model"]:
            payload["model"] = openai.omit
        if payload.get("stream") and isinstance(payload.get("response_format"), dict):
            # In the body alone it asks for the same, and leaves LangChain the stream whose headers it can read.
            payload["extra_body"] = {
                **(payload.get("extra_body") or {}),
                "response_format": payload.pop("response_format"),
            }
        return payload

    def _read_headers(self, info: dict[str, Any] | None) -> dict[str, Any]:
        """Put what the router said in the place of its raw headers."""
        if not info:  # as for all pieces of a stream but its first
            return {}
        info = dict(info)
        if metadata := parse_plano_headers(info.get("headers", {})):
            info["plano"] = metadata
        if "include_response_headers" not in self.model_fields_set:
            info.pop("headers", None)
        return info

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        result = super()._create_chat_result(response, self._read_headers(generation_info))
        result.llm_output = {**(result.llm_output or {}), "model_provider": PROVIDER}
        answer = response if isinstance(response, dict) else response.model_dump(warnings=False)
        for generation, choice in zip(result.generations, answer.get("choices") or (), strict=False):
            generation.message.response_metadata["model_provider"] = PROVIDER
            generation.message.additional_kwargs.update(read_reasoning(choice["message"]))
        return result

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        converted = super()._convert_chunk_to_generation_chunk(
            chunk, default_chunk_class, self._read_headers(base_generation_info)
        )
        if converted is not None:
            converted.message.response_metadata["model_provider"] = PROVIDER
            for choice in (chunk.get("choices") or ())[:1]:
                converted.message.additional_kwargs.update(read_reasoning(choice.get("delta") or {}))
        return converted

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        return params

    @property
    def _llm_type(self) -> str:
        return "plano-chat"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The secrets that LangChain leaves out of a serialized model, with the variable of each."""
        return {"openai_api_key": "PLANO_API_KEY"}

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Write the model down for LangChain, leaving ``include_response_headers`` out unless it was asked for."""
        written = super().to_json()
        if written["type"] == "constructor" and "include_response_headers" not in self.model_fields_set:
            written["kwargs"].pop("include_response_headers", None)
        return written

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Check whether LangChain may write the model down (`langchain_core.load`)."""
        return True
