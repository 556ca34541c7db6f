"""The serializer of threads' state: LangGraph's, behind a check of every type that the bytes name.

LangGraph's msgpack and JSON name modules and callables, which its serializer imports and calls: a writer of the
store could run code. Here all names are looked at first, at any depth, and nothing is made of bytes that name one which
is not allowed. The same check stands at writing, so that no run leaves a thread that cannot be read.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from plano_agents.agent_server.state_types import MESSAGES, STANDARD, TypeName, is_own_data

_CONSTRUCTORS = frozenset({0, 1, 2, 4, 5})
"""LangGraph's msgpack extensions that name a module, a callable and its arguments."""
_METHOD = 3
"""The one that names a method, too."""
_PLAIN = frozenset({6, 7})
"""Those that name nothing: NumPy's arrays, and a channel's snapshot."""
_METHODS = frozenset({("datetime", "datetime", "fromisoformat")})

MAX_DEPTH = 64
"""How deep extensions may be nested; each level is unpacked anew."""

_NAME = re.compile(r"[\w.\[\], ]{1,200}")


class RefusedTypeError(Exception):
    """A type that threads may not hold.

    Args:
        name: The type, or what stands in its place.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's serializer for allowed types alone.

    Args:
        allowed: Types that are allowed beside `STANDARD` and the data types of the operator's own modules.
    """

    def __init__(self, allowed: frozenset[TypeName] = frozenset()) -> None:
        self._allow(STANDARD | allowed)

    def _allow(self, types: frozenset[TypeName]) -> None:
        self._allowed = types
        super().__init__(allowed_msgpack_modules=types, allowed_json_modules=types)

    def dumps_typed(self, obj: object) -> tuple[str, bytes]:
        """Write a value.

        Raises:
            RefusedTypeError: It could not be read again.
        """
        written = super().dumps_typed(obj)
        self._check(*written)
        return written

    def loads_typed(self, data: tuple[str, bytes]) -> Any:  # noqa: ANN401 - LangGraph's
        """Read a value.

        Raises:
            RefusedTypeError: It names a type that is not allowed; nothing was made of it.
            ValueError: It is not LangGraph's msgpack or JSON.
        """
        self._check(*data)
        return super().loads_typed(data)

    def _check(self, kind: str, data: bytes) -> None:
        if kind == "msgpack":
            check = _MsgpackCheck(self._allowed)
            check.check(data)
            if check.own:
                self._allow(self._allowed | check.own)
        elif kind == "json":
            json.loads(data, object_hook=self._check_object)
        elif kind not in {"null", "bytes", "bytearray"}:
            raise RefusedTypeError("pickle" if kind == "pickle" else "of an unknown serialization")

    def _check_object(self, value: dict[str, Any]) -> dict[str, Any]:
        """Check one of LangChain's ``{"lc": 1, "type": "constructor", "id": […]}``."""
        if value.get("lc") not in (1, 2) or "type" not in value:
            return value
        parts = value.get("id")
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise RefusedTypeError("without a name")
        *path, name = parts or [""]
        module = ".".join(path)
        is_message = path == ["langchain", "schema", "messages"] and name in MESSAGES
        if value["type"] != "constructor" or not (is_message or (module, name) in self._allowed):
            raise RefusedTypeError(_show(f"{module}.{name}"))
        return value


class _MsgpackCheck:
    """Looks at each extension in some bytes, and makes nothing of it."""

    def __init__(self, allowed: frozenset[TypeName]) -> None:
        self._allowed = allowed
        self._depth = 0
        self._refused: str | None = None
        self.own: set[TypeName] = set()
        """Data types of the operator's own modules among what was named."""

    def check(self, data: bytes) -> None:
        """See that all is allowed.

        Raises:
            RefusedTypeError: Something is not.
            ValueError: The bytes are not msgpack.
        """
        try:
            self._unpack(data)
        except Exception:
            # The decoder hides what its hook raises.
            if self._refused is None:
                raise
        if self._refused is not None:
            raise RefusedTypeError(self._refused)

    def _unpack(self, data: bytes) -> object:
        return ormsgpack.unpackb(data, ext_hook=self._look, option=ormsgpack.OPT_NON_STR_KEYS)

    def _look(self, code: int, data: bytes) -> None:
        with self._nested():
            named = self._unpack(data) if self._refused is None else None
        if self._refused is None and code not in _PLAIN:
            self._refused = self._judge(code, named)

    @contextmanager
    def _nested(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refused = f"nested more than {MAX_DEPTH} deep"
        try:
            yield
        finally:
            self._depth -= 1

    def _judge(self, code: int, named: object) -> str | None:
        """Name what is refused; None for what is allowed."""
        if code != _METHOD and code not in _CONSTRUCTORS:
            return f"of the unknown extension {code}"
        count = 2 if code in _CONSTRUCTORS else 4
        if not isinstance(named, list) or len(named) < max(count, 3):
            return "without a name"
        parts = named[:2] if code in _CONSTRUCTORS else [*named[:2], named[3]]
        if not all(isinstance(part, str) for part in parts):
            return "without a name"
        is_allowed = tuple(parts) in _METHODS if code == _METHOD else self._allows((parts[0], parts[1]))
        return None if is_allowed else _show(".".join(parts))

    def _allows(self, name: TypeName) -> bool:
        if name not in self._allowed and is_own_data(name):
            self.own.add(name)
        return name in self._allowed or name in self.own


def _show(name: str) -> str:
    """Show a name from outside, unless it is none."""
    return name if _NAME.fullmatch(name) else "with a name that is not a Python name"
