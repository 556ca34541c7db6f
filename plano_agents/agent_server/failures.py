"""Answers for failed runs: one clear sentence and a status, never a traceback or a prompt.

A model or router that fails is a 502 (a timeout a 504) and keeps its own message, which is written for the client.
Anything else is the agent's own fault, a 500: its message may hold a prompt, so only its type and place are told,
and these to the log; its message and traceback only where the log tells of errors' text (``observe.log``).
"""

import logging
import sys
from typing import Any

from langgraph.errors import GraphRecursionError

from plano_agents.errors import (
    PlanoError,
    StepLimitError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from plano_agents.observe.log import Fault

_SDKS = ("openai", "anthropic")
"""The SDKs that models are asked with; both name their errors alike."""

_log = logging.getLogger(__name__)


def describe_failure(error: Exception, *, run_id: str, recursion_limit: int) -> PlanoError:
    """Tell a failed run's error as one of ours, and log it.

    Args:
        error: What the graph raised.
        run_id: The run, for the log.
        recursion_limit: The steps that were allowed.

    Returns:
        The error to answer with.
    """
    failure = _describe(error, recursion_limit)
    if type(failure) is PlanoError:
        _log.error(Fault(f"run {run_id} failed", error))
    else:
        _log.warning(Fault(f"run {run_id} failed: {failure.code}", error))
    return failure


def _describe(error: Exception, recursion_limit: int) -> PlanoError:
    match error:
        case PlanoError():
            return error
        case GraphRecursionError():
            return StepLimitError(
                f"The agent took {recursion_limit} steps without reaching an answer. Ask for less at once, or "
                "raise recursion_limit in the server's settings."
            )
    sdk = _find_sdk(error)
    if sdk is not None:
        return _describe_upstream(error, sdk)
    return PlanoError(
        f"The agent failed with {type(error).__name__}. The server's log says where; this is a fault in the "
        "agent or one of its tools."
    )


def _find_sdk(error: Exception) -> Any | None:  # noqa: ANN401 - a module with errors of the same names
    """Find the SDK that raised an error, among those that the process has loaded."""
    loaded = (sys.modules.get(name) for name in _SDKS)
    return next((sdk for sdk in loaded if sdk is not None and isinstance(error, sdk.APIError)), None)


def _describe_upstream(error: Any, sdk: Any) -> UpstreamError:  # noqa: ANN401 - the SDK's
    match error:
        case sdk.APITimeoutError():
            return UpstreamTimeoutError(
                f"The model router at {_base_url(error)} did not answer in time. Raise the chat model's timeout, "
                "or look at the router's log."
            )
        case sdk.APIConnectionError():
            return UpstreamUnreachableError(
                f"Cannot reach the model router at {_base_url(error)}. Start it with `plano-agents up`, or set "
                "PLANO_BASE_URL to the address of one that runs."
            )
        case sdk.APIStatusError():
            return UpstreamError(
                f"The model router at {_base_url(error)} answered {error.status_code}: {_read_message(error)}"
            )
        case _:
            return UpstreamError(f"The model's answer broke off: {_read_message(error)}")


def _base_url(error: Any) -> str:  # noqa: ANN401 - the SDK's
    url = error.request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _read_message(error: Any) -> str:  # noqa: ANN401 - the SDK's
    """The router's own words, without the SDK's ``Error code: 404 - {…}`` around them."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]  # Anthropic's SDK leaves it in its envelope
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else str(error.message)
