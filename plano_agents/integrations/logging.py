"""`AffinityLogFilter`: the affinity id in every line of a log."""

import logging

from plano_agents.affinity import current_affinity_id


class AffinityLogFilter(logging.Filter):
    """Adds ``affinity_id``, the enclosing scope's, to each record; ``-`` outside of one.

    Add it to a handler, so that it sees what every logger below writes.

    Example:
        >>> import logging, sys
        >>> from plano_agents import AffinityLogFilter, model_affinity
        >>> handler = logging.StreamHandler(sys.stdout)
        >>> handler.setFormatter(logging.Formatter("%(affinity_id)s %(message)s"))
        >>> handler.addFilter(AffinityLogFilter())
        >>> log = logging.getLogger("agent")
        >>> log.addHandler(handler)
        >>> with model_affinity("run-1"):
        ...     log.warning("out of coffee")
        run-1 out of coffee
        >>> log.removeHandler(handler)
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; every record passes."""
        record.affinity_id = current_affinity_id() or "-"
        return True
