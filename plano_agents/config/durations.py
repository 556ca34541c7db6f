"""Durations of Plano's keys, such as ``300s``."""

import re

from plano_agents.config.findings import Findings, KeyPath, format_path, format_value

# The text form of a protobuf duration, which is what Envoy reads under Plano.
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def read_seconds(text: str, path: KeyPath, findings: Findings) -> float | None:
    """Read one of Plano's durations.

    Args:
        text: Such as ``300s`` or ``0.25s``.
        path: Its place.
        findings: Where a problem is noted.

    Returns:
        Seconds, more than 0; None when a problem was noted.
    """
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) if match else 0.0
    if seconds > 0:
        return seconds
    findings.add_problem(
        path,
        f"{format_path(path)} {format_value(text)} is not a duration above zero. Write seconds, such as '300s'.",
    )
    return None
