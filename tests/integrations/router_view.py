"""A real router's view of its requests: the ids that they came under, and the number without one."""

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_DECISION = re.compile(r'^plano_affinity_decisions_total\{decision="(\w+)".*\} ([\d.]+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RouterView:
    """A look at a router that runs."""

    url: str
    """Its base URL, ``/v1`` included."""

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    def session(self, affinity_id: str) -> dict[str, Any] | None:
        """The pinned model of an id; None where there is none."""
        try:
            session: dict[str, Any] = json.loads(self._read(f"/affinity/{quote(affinity_id)}"))
        except urllib.error.HTTPError as error:
            assert error.code == 404  # noqa: PT017 - anything else is a failure
            error.close()
            return None
        return session

    def turns(self, affinity_id: str) -> int:
        """The number of requests that came with an id."""
        session = self.session(affinity_id)
        return 0 if session is None else int(session["turns"])

    def count_requests(self) -> int:
        """The number of requests that were decided on."""
        return round(sum(float(count) for _, count in _DECISION.findall(self._read("/metrics"))))

    def count_unnamed(self) -> int:
        """The number of those that had no id."""
        found = _DECISION.findall(self._read("/metrics"))
        return round(sum(float(count) for decision, count in found if decision == "none"))

    def _read(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.root}{path}") as answer:
            text: str = answer.read().decode()
        return text
