"""The page at ``/healthz`` and ``/health`` for those who start and watch a process: it is alive. No key is needed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # which takes long to load, and the router answers before it is
    from fastapi import FastAPI

HEALTH_PATH = "/healthz"
"""The page's path."""
HEALTH_PATHS = (HEALTH_PATH, "/health")
"""All its paths: the second is that of the agent in Plano's demo."""
ALIVE = {"status": "ok"}
"""The answer."""


def add_health_page(app: "FastAPI") -> None:
    """Add the page to an application."""

    @app.head("/health", include_in_schema=False)
    @app.get("/health", include_in_schema=False)
    @app.head(HEALTH_PATH, include_in_schema=False)
    @app.get(
        HEALTH_PATH,
        summary="Is the process alive?",
        responses={200: {"content": {"application/json": {"example": ALIVE}}}},
    )
    async def healthz() -> dict[str, str]:
        return ALIVE
