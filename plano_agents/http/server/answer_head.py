"""The head of an HTTP/1.1 answer, in bytes, and whole answers that refuse a request."""

import asyncio
import http
import time
from collections.abc import Mapping
from email.utils import formatdate

from plano_agents.errors import PlanoError
from plano_agents.protocol import openai_chat

DATE_SECONDS = 1.0
"""How old the date of an answer may be."""


class Beginnings(dict[int, bytes]):
    """The first lines of answers by status: the status line and the date, written once a second."""

    def __missing__(self, status: int) -> bytes:
        if not self:
            asyncio.get_running_loop().call_later(DATE_SECONDS, self.clear)
        self[status] = beginning = encode_status_line(status) + b"date: %b\r\n" % _encode_date()
        return beginning


def encode_status_line(status: int) -> bytes:
    """Encode a status line; a status without a name of its own has none."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


def encode_headers(headers: Mapping[str, str]) -> str:
    """Encode header lines.

    Args:
        headers: Names in lower case, and values.

    Raises:
        ValueError: A header would break its line.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("An answer's header holds a line break.")
    return lines


def encode_refusal(error: PlanoError, beginnings: Beginnings) -> bytes:
    """Encode a whole answer that refuses a request and ends its connection, in OpenAI's form."""
    content = openai_chat.encode_error(error)
    headers = {**error.headers, "content-type": "application/json", "content-length": str(len(content))}
    headers["connection"] = "close, upgrade" if "upgrade" in headers else "close"
    return beginnings[error.status_code] + f"{encode_headers(headers)}\r\n".encode() + content


def _encode_date() -> bytes:
    return formatdate(time.time(), usegmt=True).encode()
