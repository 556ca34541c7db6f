"""The methods that a path takes, for answers of 405: Starlette names those of the first route alone."""

from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import Scope

METHODS = ("DELETE", "GET", "HEAD", "POST")
"""What some path takes."""


def find_methods(app: Starlette, scope: Scope) -> str:
    """Name all methods that a path takes, as ``Allow`` does (RFC 9110, section 10.2.1).

    Args:
        app: The application.
        scope: A request's, of any method.
    """
    return ", ".join(
        method
        for method in METHODS
        if any(each.matches({**scope, "method": method})[0] is Match.FULL for each in app.router.routes)
    )
