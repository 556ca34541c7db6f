"""Paths of the API as clients meet them with a mistaken base address, corrected to those that are served.

A client that gives OpenAI's SDK a base without ``/v1``, or Anthropic's one with it, or either a slash at its end, asks
``/chat/completions``, ``/v1/v1/messages`` or ``//v1/responses``. Such a path has one meaning, so it is served. Only the
API's own paths are ever the outcome, whatever comes in: no operators' path has a second spelling.
"""

import re

_API = re.compile(
    r"(?>(?:/++v1)*)(?>(?P<routing>/++routing)?)(?>(?:/++v1)*)/++"
    r"(?P<name>chat/+completions|messages/+count_tokens|messages|responses/+(?:compact|input_tokens)|responses"
    r"|models(?P<model>/++[^/](?:.*[^/])?)?)/*+",
    re.DOTALL,
)
"""Nothing is tried in two ways: anybody may send a path, and a long one would take seconds."""
_UNSERVED = re.compile(r"/v1/(?:assistants|audio|batches|completions|embeddings|files|images|moderations|realtime)\b")
"""OpenAI's endpoints that have nothing to do with a conversation's model."""
_SLASHES = re.compile("/+")


def correct_path(path: str) -> str:
    """Correct the path that a mistaken base address makes.

    Args:
        path: A request's path, percent-decoded.

    Returns:
        The API's path that is meant; any other path as it is.

    Example:
        >>> correct_path("//v1/v1/messages/")
        '/v1/messages'
    """
    matched = _API.fullmatch(path)
    if matched is None:
        return path
    name, model = matched["name"], matched["model"]
    tail = f"models/{model.lstrip('/')}" if model is not None else _SLASHES.sub("/", name)
    return f"/routing/v1/{tail}" if matched["routing"] else f"/v1/{tail}"


def explain_unserved(path: str, host: str) -> str:
    """Word what to do where a path is not served: use another address, or another server.

    Args:
        path: The request's path.
        host: The request's ``Host``, empty where there is none.
    """
    if _UNSERVED.match(path):
        return "The router serves chat completions, messages and responses. Send this request to the provider itself."
    base = f"http://{host or 'HOST:PORT'}"
    return (
        f"Set the client's base address to {base}/v1 for OpenAI's SDKs, or {base} for Anthropic's; "
        f"{base}/docs lists what is served."
    )
