"""Tracing that is configured and cannot be had: the commands go on without it, and warn."""

from collections.abc import Mapping
from dataclasses import replace

from plano_agents.config.model import Config
from plano_agents.observe.spans.destination import describe_missing_packages, is_switched_off


def leave_out_tracing(config: Config, environ: Mapping[str, str]) -> Config:
    """Switch tracing off where its extra is not installed, with a warning.

    Plano's own templates trace, so a file that Plano takes starts here with the extra ``router`` alone.

    Args:
        config: What is configured.
        environ: The environment, which may switch tracing off too.
    """
    if config.tracing.random_sampling == 0 or is_switched_off(environ):
        return config
    missing = describe_missing_packages()
    if missing is None:
        return config
    return replace(
        config,
        tracing=replace(config.tracing, random_sampling=0),
        warnings=(*config.warnings, f"nothing is traced: {missing}"),
    )
