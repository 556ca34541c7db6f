"""Where clients find the router: one spelling for every integration."""

DEFAULT_BASE_URL = "http://127.0.0.1:12000/v1"
"""Where a router listens unless it is told otherwise."""


def build_base_url(url: str) -> str:
    """Complete a router's address: ``http://host:12000``, with or without ``/v1``, with or without a slash.

    Args:
        url: The address, http or https.

    Returns:
        The address that ends in ``/v1``.

    Raises:
        ValueError: It is no http or https address.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"A router's address starts with http:// or https://; got {url!r}.")
    stem = url.rstrip("/").removesuffix("/v1")
    return f"{stem}/v1"
