"""The simulator's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plano_agents.secret_str import SecretStr
from plano_agents.simulator.faults import Fault


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """The models that a simulator serves, their speed and their faults."""

    models: tuple[str, ...] = ()
    """The models' names; none means that any name is served."""
    seed: int = 0
    """Changes the ids of answers and calls, and nothing else."""
    act: bool = False
    """True if the models call tools that act: that run, write, edit, delete, send, spawn or schedule something."""
    time_to_first_token_ms: float = 0
    """The wait before an answer's first token, in milliseconds."""
    tokens_per_second: float = 0
    """How fast an answer is written; 0 means no limit."""
    require_key: SecretStr | None = None
    """The key that clients must present; None means that none is asked for."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """Fault by model name, ``*`` for all models."""
