"""The attributes of our spans, each with what it says: the page `docs/tracing.md` shows the same table.

``gen_ai.*`` are OpenTelemetry's semantic conventions for generative AI (v0.1.0 of
open-telemetry/semantic-conventions-genai; status: development); ``http.*``, ``url.*``,
``server.*`` and ``error.*`` its stable ones. What they have no name for stands under ``plano.``.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
WRITTEN_TOKENS = "gen_ai.usage.cache_write.input_tokens"
CONVERSATION = "gen_ai.conversation.id"
AGENT = "gen_ai.agent.name"
TOOL = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_CALL = "gen_ai.tool.call.id"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
METHOD = "http.request.method"
RESEND_COUNT = "http.request.resend_count"
STATUS = "http.response.status_code"
HTTP_ROUTE = "http.route"
PATH = "url.path"
SCHEME = "url.scheme"
USER_AGENT = "user_agent.original"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
ERROR = "error.type"
DECISION = "plano.affinity.decision"
REASON = "plano.affinity.reason"
BECAUSE = "plano.affinity.because"
PINNED = "plano.affinity.pinned"
DEPLOYMENT = "plano.deployment"
DEGRADED = "plano.affinity.degraded"
ROUTE = "plano.route"
MODEL = "plano.model"
STRATEGY = "plano.routing.strategy"
SCORE = "plano.routing.score"
THRESHOLD = "plano.routing.threshold"
PREFERENCES = "plano.routing.preferences"
SCORES = "plano.routing.scores"
CLIENT_LEFT = "plano.client_left"
TURNS = "plano.run.turns"
SWITCHES = "plano.run.switches"

ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        OPERATION: "`chat`, `invoke_agent` or `execute_tool`",
        PROVIDER: "who was asked, by the conventions' names: `openai`, `anthropic`, `gcp.gemini`, …",
        REQUEST_MODEL: "the model that was asked for, as its provider spells it",
        REQUEST_STREAM: "whether the answer came as a stream",
        RESPONSE_ID: "the answer's id",
        RESPONSE_MODEL: "the model that answered, as it calls itself",
        FIRST_CHUNK: "seconds from sending to the first bytes of a stream",
        INPUT_TOKENS: "prompt tokens, cached ones included",
        OUTPUT_TOKENS: "completion tokens",
        CACHED_TOKENS: "prompt tokens that the provider read from its cache",
        WRITTEN_TOKENS: "prompt tokens that the provider wrote to its cache, as far as it counts them",
        CONVERSATION: "the affinity id, hashed",
        AGENT: "the agent server's `name`",
        TOOL: "the tool that ran",
        TOOL_TYPE: "`function`",
        TOOL_CALL: "the id that the model gave its call",
        INPUT_MESSAGES: "what was asked, as JSON; content",
        OUTPUT_MESSAGES: "what was answered, as JSON; content",
        SYSTEM_INSTRUCTIONS: "the instructions beside the messages, as JSON; content",
        TOOL_ARGUMENTS: "what the tool was called with, as JSON; content",
        TOOL_RESULT: "what the tool answered; content",
        METHOD: "`POST`, `GET` or `DELETE`",
        RESEND_COUNT: "which retry of the same model it is, from 1",
        STATUS: "the HTTP status",
        HTTP_ROUTE: "the endpoint",
        PATH: "the path",
        SCHEME: "`http` or `https`",
        USER_AGENT: "how the client calls itself",
        SERVER_ADDRESS: "the provider's host",
        SERVER_PORT: "its port",
        ERROR: "the code of what failed, as in errors to the client, or the provider's HTTP status",
        DECISION: "`none`, `initialize`, `retain`, `detour` or `switch`",
        REASON: "why: `first_turn`, `hint`, `pinned`, …",
        BECAUSE: "what exactly made the model another: the field, the status, the limit",
        PINNED: "the model that the session keeps, where another served this request alone",
        DEGRADED: "what the decision was made without: `store`, `routing`",
        ROUTE: "the preference that matched",
        MODEL: "the model that serves, provider-qualified",
        DEPLOYMENT: "which of the model's deployments serves, by its name",
        STRATEGY: "who ranked the preferences; absent where a pin was retained",
        SCORE: "the matching preference's score",
        THRESHOLD: "the probability that a match must exceed",
        PREFERENCES: "all preferences, in the order of their scores below",
        SCORES: "each preference's score",
        CLIENT_LEFT: "`true` where the client left before its answer was whole",
        TURNS: "how many models' answers the run took",
        SWITCHES: "how often the model differed from the model call before",
    }
)
"""Every attribute that a span of ours may have, beside those that `tracing.span_attributes` adds."""

_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "azure_openai": "azure.ai.openai",
        "bedrock": "aws.bedrock",
        "gemini": "gcp.gemini",
        "mistral": "mistral_ai",
        "moonshotai": "moonshot_ai",
        "xai": "x_ai",
    }
)


def name_provider(provider: str) -> str:
    """Name a provider as the conventions do; one that they do not know keeps its name."""
    return _PROVIDERS.get(provider, provider)


def hash_affinity_id(affinity_id: str) -> str:
    """Hash an affinity id for a trace.

    Returns:
        The first 32 hexadecimal digits of its SHA-256.
    """
    return hashlib.sha256(affinity_id.encode()).hexdigest()[:32]
