"""An exception that nobody foresaw: one log line for the operator, one error for the client.

The line names the place and the trace id. The exception's own message may hold a prompt, so it stays out of both, but
for a log that tells of errors' text (``observe.log``).
"""

import logging

from plano_agents.errors import PlanoError
from plano_agents.observe.log import Fault

log = logging.getLogger(__name__)


def explain_failure(error: Exception, trace_id: str) -> PlanoError:
    """Give what the client is told of an exception: an error of ours as it is, anything else once it is reported.

    Args:
        error: What was raised.
        trace_id: The request's.
    """
    return error if isinstance(error, PlanoError) else report_bug(error, trace_id)


def report_bug(error: Exception, trace_id: str) -> PlanoError:
    """Log where a request failed.

    Args:
        error: What was raised.
        trace_id: The request's.

    Returns:
        What the client is told.
    """
    log.error(Fault(f"trace {trace_id}: unexpected error", error))
    return PlanoError(f"The router failed on this request. Its log has the details, under trace id {trace_id}.")
