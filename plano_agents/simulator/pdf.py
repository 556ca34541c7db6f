"""PDFs: their pages are counted, nothing is read."""

import base64
import binascii
import re

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_MAX_PAGES = 600


def count_pages(data: str) -> int | None:
    """Count a PDF's pages.

    Args:
        data: The file in Base64.

    Returns:
        From 1 to 600, for pages inside compressed object streams are not seen; None if it is not a PDF.
    """
    try:
        pdf = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return min(max(len(_PAGE.findall(pdf)), 1), _MAX_PAGES) if pdf.startswith(b"%PDF-") else None
