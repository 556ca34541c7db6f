"""Where clients find the router: one spelling for every integration."""

from urllib.parse import urlsplit

DEFAULT_BASE_URL = "http://127.0.0.1:12000/v1"
"""Where a router listens unless it is told otherwise."""


def build_base_url(url: str) -> str:
    """Complete a router's address: ``http://host:12000``, with or without ``/v1``, with or without a slash.

    Args:
        url: The address, http or https.

    Returns:
        The address that ends in ``/v1``.

    Raises:
        ValueError: It is no http or https address, or has a query or a fragment, which no path can follow.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"A router's address starts with http:// or https://; got {url!r}.")
    if "?" in url or "#" in url:
        raise ValueError(
            f"A router's address has no query and no fragment, for paths are added to it; got {url!r}. Leave out "
            "what follows '?' or '#'."
        )
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"A router's address names a host, like {DEFAULT_BASE_URL}; got {url!r}.")
    return f"{url.rstrip('/').removesuffix('/v1')}/v1"
