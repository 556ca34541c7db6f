"""LangChain's own suites for stock clients, each surface of the router on each provider's simulated models.

Nothing of the suites' checks is changed; what they would fetch from the web is given to them. A flag that is off says
why.
"""

from typing import Any, ClassVar

import httpx
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

from tests.integrations.test_langchain_standard import Detail, Way, ask_twice, give_file

OPENAI, ANTHROPIC = ("gpt-4o", "gpt-4o-mini"), ("claude-sonnet-4-6", "claude-haiku-4-5")
"""The model that answers, and another of its provider's, as answers call them."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # LangChain's clients share connections, which belong to a loop
    *map(
        pytest.mark.filterwarnings,
        (
            "ignore:.*is marked with '@pytest.mark.asyncio' but it is not an async function",
            "ignore:OpenAI may require a filename",  # the suite's documents have none
            "ignore:Pydantic serializer warnings",  # of the SDK's own typed answers, which LangChain writes down
            "ignore:Received a Pydantic BaseModel V1 schema",  # LangChain's own advice
        ),
    ),
]


class Surface(ChatModelIntegrationTests):
    """LangChain's standard tests for every client and model.

    Off: sound, which no surface of the router takes; VCR, whose one test times a recorded stream.
    """

    models: ClassVar[tuple[str, str]]
    """What is asked, and what replaces it in a call."""

    @pytest.fixture(autouse=True)
    def _router(self, named_router: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(httpx, "get", give_file)
        monkeypatch.setenv("OPENAI_BASE_URL", named_router)
        monkeypatch.setenv("OPENAI_API_KEY", "unused")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", named_router.removesuffix("/v1"))
        monkeypatch.setenv("ANTHROPIC_API_KEY", "unused")

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self.models[0]}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> dict[Way, list[Detail]]:
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return ask_twice(self.build(), stream=stream)[1]

    def build(self) -> BaseChatModel:
        """Build the client as the suite does."""
        return self.chat_model_class(**self.chat_model_params)

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return self.models[1]


class OpenAIClient(Surface):
    """`ChatOpenAI`, on chat completions."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        # With a base URL of one's own LangChain leaves the usage of streams out, unless it is asked for.
        return {**super().chat_model_params, "stream_usage": True}

    @property
    def supports_json_mode(self) -> bool:
        return True


class ResponsesClient(OpenAIClient):
    """`ChatOpenAI`, on responses."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**super().chat_model_params, "use_responses_api": True}


class AnthropicClient(Surface):
    """`ChatAnthropic`, on messages."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatAnthropic


class TestChatToOpenAI(OpenAIClient):
    """Off also, for OpenAI's chat completions refuse them: files in a tool's result and Anthropic's blocks."""

    models = OPENAI

    @property
    def supports_image_tool_message(self) -> bool:
        return False

    @property
    def supports_pdf_tool_message(self) -> bool:
        return False

    @property
    def supports_anthropic_inputs(self) -> bool:
        return False


class TestChatToAnthropic(OpenAIClient):
    models = ANTHROPIC


class TestResponsesToOpenAI(ResponsesClient):
    models = OPENAI


class TestResponsesToAnthropic(ResponsesClient):
    models = ANTHROPIC


class TestMessagesToOpenAI(AnthropicClient):
    models = OPENAI


class TestMessagesToAnthropic(AnthropicClient):
    models = ANTHROPIC

    @property
    def supported_usage_metadata_details(self) -> dict[Way, list[Detail]]:
        details: list[Detail] = ["cache_read_input", "cache_creation_input"]
        return {"invoke": details, "stream": details}

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        return ask_twice(self.build(), stream=stream)[0]
