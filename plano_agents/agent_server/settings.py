"""The agent server's settings, checked at the edge, from keyword arguments or a YAML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from plano_agents.affinity import AffinitySource
from plano_agents.agent_server.checkpoints import check_checkpoints_url
from plano_agents.config.key_hashes import check_hash
from plano_agents.errors import ConfigError
from plano_agents.http.server.budget import MAX_BUFFERED_BYTES
from plano_agents.http_syntax import parse_host_pattern
from plano_agents.integrations.router_address import build_base_url


def _check_secret_url(url: SecretStr) -> SecretStr:
    check_checkpoints_url(url.get_secret_value())
    return url


def _check_origin(origin: str) -> str:
    scheme, separator, host = origin.partition("://")
    if origin != "*" and (scheme not in {"http", "https"} or not separator or not host or "/" in host):
        raise ValueError(f"{origin!r} is not an origin; write one such as 'https://app.example.com', or '*'")
    return origin


def _check_owners(hashes: Mapping[str, str]) -> Mapping[str, str]:
    """See that no key has two names: a thread belongs to one, and the key would open only the first's."""
    owners: dict[str, str] = {}
    for owner, key in hashes.items():
        if key in owners:
            raise ValueError(f"{owners[key]!r} and {owner!r} have the same key; give each a key of its own")
        owners[key] = owner
    return hashes


KeyHash = Annotated[str, AfterValidator(check_hash)]
RouterUrl = Annotated[str, AfterValidator(build_base_url)]
Origin = Annotated[str, AfterValidator(_check_origin)]
HostPattern = Annotated[str, AfterValidator(parse_host_pattern)]
TypesName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")]
Owner = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._@-]+$")]


class ThreadSettings(BaseModel):
    """The lifetime of threads."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    ttl: Annotated[float, Field(gt=0, description="seconds")] | None = None
    """How many seconds after its last step a thread is forgotten; without it, it is kept until it is deleted. A thread
    that a run is on is never forgotten. Not for a graph's own checkpointer, which keeps its own house."""


class ServerSettings(BaseModel):
    """An agent server's settings.

    Example:
        >>> settings = ServerSettings(name="database-agent", run_seconds=120)
        >>> settings.tool_seconds
        60.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=64)] = "agent"
    """The agent's name, which OpenAI clients see as the model."""
    affinity: AffinitySource = "run"
    """What a run's affinity id comes from where its client sends none: ``run``, a new one for each run, or ``thread``,
    so that all runs on a thread keep one model."""
    api_keys: Annotated[Mapping[Owner, KeyHash], AfterValidator(_check_owners)] = Field(default_factory=dict)
    """Hashes of the clients' keys (``plano-agents hash-key``), by the name of whom each was given to. A thread
    belongs to the name, so a key can be replaced. Without any, nobody is asked for a key."""
    checkpoints: Annotated[SecretStr, AfterValidator(_check_secret_url)] | None = None
    """Where threads are remembered: ``sqlite:///FILE``, ``postgresql://…``, ``memory`` or ``none``. By default where
    the graph's own checkpointer does, else in ``sqlite:///threads.sqlite``."""
    checkpoint_types: tuple[TypesName, ...] = ()
    """Types that threads may hold, beside standard ones, LangChain's messages and those that the graph's state is
    annotated with: ``module:Type``, or ``module`` for all classes that it defines."""
    threads: ThreadSettings = ThreadSettings()
    """How long threads are kept."""
    busy_threads: Literal["reject", "queue"] = "reject"
    """What becomes of a run on a thread that another run is on: a 409, or a place in line."""
    max_queued_runs: Annotated[int, Field(ge=1)] = 16
    """How many runs may wait for one thread with ``busy_threads: queue``."""
    max_body_bytes: Annotated[int, Field(ge=1)] = 32 * 1024 * 1024
    """The largest request body accepted, in bytes."""
    max_buffered_bytes: Annotated[int, Field(ge=1)] = MAX_BUFFERED_BYTES
    """The most bytes of bodies, and of answers that clients do not take, held at once; what is more is a 503."""
    run_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long a run may take, its place in line and a slow reader included."""
    tool_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long one call of a tool may take; the model is told then, and the run goes on."""
    router_urls: tuple[RouterUrl, ...] = ()
    """The routers that tools may ask by themselves, over httpx or httpx2: such a request carries the run's affinity
    id, one to any other address never does. By default ``PLANO_BASE_URL``, else ``http://127.0.0.1:12000``."""
    recursion_limit: Annotated[int, Field(ge=1)] = 50
    """The steps that a run may take: `create_agent` sets 9,999, which is no limit but an outage."""
    cors_origins: tuple[Origin, ...] = ()
    """The web origins whose pages may call the server; ``*`` is all."""
    allowed_hosts: tuple[HostPattern, ...] = ()
    """Without keys: names that the server goes by beside loopback's; ``*.example.com`` is every name below."""
    openai_answers: Literal["streamed", "final"] = "streamed"
    """What OpenAI clients read: all that the agent says, as it says it, also what it says before it calls a tool; or
    its final output alone, once it is there."""
    tool_calls: Literal["hidden", "shown"] = "hidden"
    """Whether OpenAI clients get the agent's tool calls and their results too; then answers are always streamed."""
    log_content: bool = False
    """True if prompts, answers and tool results are logged."""
    trace_sampling: Annotated[int, Field(ge=0, le=100)] = 0
    """How many of 100 requests are traced where the client has not decided; 0 makes no span at all. Where traces go
    is the environment's: ``OTEL_EXPORTER_OTLP_ENDPOINT``, by default OTLP over gRPC to ``http://localhost:4317``."""
    trace_content: bool = False
    """True if prompts, answers and tool results are written into spans."""

    @property
    def streams_answers(self) -> bool:
        """True if OpenAI clients get what the agent says as it says it."""
        return self.openai_answers == "streamed" or self.tool_calls == "shown"

    @property
    def max_waiting(self) -> int:
        """The number of runs that may wait for one thread."""
        return self.max_queued_runs if self.busy_threads == "queue" else 0


def build_settings(**given: Any) -> ServerSettings:  # noqa: ANN401 - any field's
    """Build settings.

    Raises:
        ConfigError: One does not fit; all that do not are named.
    """
    return _validate(given, "")


def load_settings(path: Path) -> dict[str, Any]:
    """Read settings from a YAML file.

    Returns:
        Those that it has, checked, and not yet built: the command line may override them.

    Raises:
        ConfigError: It cannot be read, or does not fit; all that does not is named.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"Cannot read {str(path)!r}: {reason}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{line}: this is not YAML.") from error
    if not isinstance(found, dict | None):
        raise ConfigError(f"{path}: settings are a mapping; got {type(found).__name__}.")
    given = {str(name): value for name, value in (found or {}).items()}
    _validate(given, f"{path}: ")
    return given


def _validate(given: dict[str, Any], where: str) -> ServerSettings:
    try:
        return ServerSettings.model_validate(given)
    except ValidationError as error:
        raise ConfigError(*(_tell(problem, where) for problem in error.errors())) from error


def _tell(problem: Any, where: str) -> str:  # noqa: ANN401 - pydantic's
    """Tell a problem, without the value of what may be a secret."""
    name = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        known = ", ".join(ServerSettings.model_fields)
        return f"{where}{name!r} is not a setting. The settings are: {known}."
    message = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    secret = problem["loc"][0] in {"api_keys", "checkpoints"}
    got = "" if secret or problem["type"] == "value_error" else f"; got {problem['input']!r}"
    return f"{where}{name}: {message[0].lower()}{message[1:]}{got}."
