"""Text that is not shown, as pydantic's ``SecretStr`` is; pydantic takes a good part of the router's start to load."""


class SecretStr:
    """A key, a token, or an address that may hold one; neither ``repr`` nor ``str`` shows it.

    Args:
        text: The secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """Give the secret itself."""
        return self._text

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.get_secret_value() == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return "**********" if self._text else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"
