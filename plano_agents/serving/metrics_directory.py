"""Where several processes share their counts, as prometheus-client has it; reading them is its business."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the directory; prometheus-client looks for it once, when it is loaded."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Name prometheus-client a fresh directory for several processes' counts; it is gone at the end."""
    before = os.environ.get(METRICS_DIRECTORY)
    with tempfile.TemporaryDirectory(prefix="plano-agents-metrics-") as directory:
        os.environ[METRICS_DIRECTORY] = directory
        try:
            yield
        finally:
            del os.environ[METRICS_DIRECTORY]
            if before is not None:
                os.environ[METRICS_DIRECTORY] = before
