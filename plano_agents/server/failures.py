"""What a failed run is answered with: one clear sentence and a status, never a traceback or a prompt.

A model or router that fails is a 502 (a timeout a 504) and keeps its own message, which is written for the client.
Anything else is the agent's own fault, a 500: its message may hold a prompt, so only its type and place are told,
and these to the log.
"""

import logging

import openai
from langgraph.errors import GraphRecursionError

from plano_agents.errors import (
    PlanoError,
    StepLimitError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from plano_agents.serving.log import locate

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
        _log.error("run %s failed: %s", run_id, locate(error))
    else:
        _log.warning("run %s failed: %s", run_id, failure.code)
    return failure


def _describe(error: Exception, recursion_limit: int) -> PlanoError:  # noqa: PLR0911 - a table
    match error:
        case PlanoError():
            return error
        case GraphRecursionError():
            return StepLimitError(
                f"The agent took {recursion_limit} steps without coming to an answer. Ask for less at once, or "
                "raise recursion_limit in the server's settings."
            )
        case openai.APITimeoutError():
            return UpstreamTimeoutError(
                f"The model router at {_base_url(error)} did not answer in time. Raise the chat model's timeout, "
                "or look at the router's log."
            )
        case openai.APIConnectionError():
            return UpstreamUnreachableError(
                f"Cannot reach the model router at {_base_url(error)}. Start it with `plano-agents up`, or set "
                "PLANO_BASE_URL to the address of one that runs."
            )
        case openai.APIStatusError():
            return UpstreamError(
                f"The model router at {_base_url(error)} answered {error.status_code}: {_read_message(error)}"
            )
        case openai.APIError():
            return UpstreamError(f"The model's answer broke off: {_read_message(error)}")
        case _:
            return PlanoError(
                f"The agent failed with {type(error).__name__}. The server's log says where; this is a fault in the "
                "agent or one of its tools."
            )


def _base_url(error: openai.APIError) -> str:
    url = error.request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _read_message(error: openai.APIError) -> str:
    """The router's own words, without the SDK's ``Error code: 404 - {…}`` around them."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else error.message
