"""The affinity id: how it is spelt, where it comes from, and how it reaches a request.

An id is 1 to 256 visible ASCII characters. It comes from the first of: the call's own argument, the caller's own
``extra_headers``, a model's field, the run's ``configurable["model_affinity_id"]`` (or its ``"x-model-affinity"``,
where LangGraph's own server puts a request's header), the enclosing scope
(`model_affinity`), the run's ``thread_id`` (hashed; an empty one is none). Without any of them there is none, and no
header is sent: an id made per call would claim an affinity that nothing keeps. A scope that is a lane of the id that
``configurable`` names is that run's own, and comes before it: so a sub-agent keeps its lane wherever the run's id comes
from.

An id that comes from a thread is that of one of its runs, a user's message and the tool loop that answers it, or that
of the whole thread: `AffinitySource` says which, where an integration lets its user choose.

Standard library only. Putting the id on a framework's requests is left to ``integrations``; keeping the
promise is left to the router.
"""

import contextvars
import functools
import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from plano_agents.errors import InvalidAffinityIdError

AFFINITY_HEADER = "X-Model-Affinity"
"""The header that carries the affinity id, in requests and answers."""

HINT_HEADER = "X-Model-Affinity-Hint"
"""The header that names the model that the transcript was made by, spelt like ``model``."""

SCOPE_HEADER = "X-Model-Affinity-Scope"
"""The header that says for how long the model is kept: ``session`` or ``user_turn``."""

CONFIGURABLE_KEY = "model_affinity_id"
"""The key of a LangChain run's ``configurable`` that holds an affinity id."""

SOURCE_KEY = "model_affinity_from"
"""The key of ``configurable`` that says what the id there was made for, where that is the run alone: ``run``."""

AffinitySource = Literal["run", "thread"]
"""What an agent's id comes from: ``run``, so that a new user message may go to another model, or ``thread``, so that a
whole conversation keeps one."""

_HEADER_KEY = AFFINITY_HEADER.lower()
"""The key of ``configurable`` that LangGraph's own server puts a request's header under."""

MAX_ID_LENGTH = 256
_ID = re.compile(f"[!-~]{{1,{MAX_ID_LENGTH}}}")

P = ParamSpec("P")
T = TypeVar("T")

_scopes: ContextVar[tuple[str, ...]] = ContextVar("plano_affinity_ids", default=())
"""The enclosing scopes' ids, the innermost last; a context of its own for every task."""


def parse_affinity_id(value: object) -> str:
    """Check an affinity id.

    Args:
        value: What was given as an id, by a header, an argument or a configuration.

    Returns:
        The id, unchanged.

    Raises:
        InvalidAffinityIdError: It is not a string, empty, over 256 characters, or holds anything but visible ASCII.
    """
    if not isinstance(value, str):
        raise InvalidAffinityIdError(f"An affinity id is a string; got {type(value).__name__}.", param=AFFINITY_HEADER)
    if _ID.fullmatch(value) is not None:
        return value
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InvalidAffinityIdError(
            f"An affinity id has 1 to {MAX_ID_LENGTH} characters; got {len(value)}. Send a UUID, for example.",
            param=AFFINITY_HEADER,
        )
    bad = next(char for char in value if not "!" <= char <= "~")
    raise InvalidAffinityIdError(
        f"An affinity id holds visible ASCII characters only (no spaces); got {bad!r} in {value!r}.",
        param=AFFINITY_HEADER,
    )


def check_affinity_source(value: str) -> AffinitySource:
    """Check what an agent's id is to come from.

    Raises:
        ValueError: It is neither ``run`` nor ``thread``.
    """
    for known in get_args(AffinitySource):
        if value == known:
            return known  # type: ignore[no-any-return] # one of its own
    raise ValueError(f"affinity is 'run' or 'thread'; got {value!r}.")


def new_affinity_id() -> str:
    """Make an id for a new run: a random UUID."""
    return str(uuid.uuid4())


def derive_affinity_id(thread_id: str, run: str | None = None) -> str:
    """Turn a conversation's thread id into its affinity id, or that of one of its runs; the same in every process.

    Args:
        thread_id: Any text; hashed, for thread ids may be longer than an id may be, and may name a person.
        run: What tells the run from the thread's others, any text; None for the thread's own id.

    Returns:
        ``thread-`` or ``run-``, and 32 hexadecimal digits of the SHA-256.
    """
    named = thread_id if run is None else f"{len(thread_id)}:{thread_id}:{run}"
    digits = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{'thread' if run is None else 'run'}-{digits}"


def current_affinity_id() -> str | None:
    """The id of the enclosing `model_affinity` scope, or None outside of one.

    Example:
        >>> with model_affinity("run-1"):
        ...     print(current_affinity_id())
        run-1
        >>> print(current_affinity_id())
        None
    """
    scopes = _scopes.get()
    return scopes[-1] if scopes else None


class model_affinity:  # noqa: N801 - used like a function: `with model_affinity() as affinity_id`
    """Give every call inside one affinity id.

    Works as ``with`` and as ``async with``, nests, and follows `asyncio` tasks and `asyncio.to_thread`; bare
    threads need `bind_context`. Do not open one inside a generator: its consumers would share it.

    Args:
        affinity_id: The id to use; a new one is made where it is None.
        lane: A sub-agent's own id below the enclosing scope's: inside ``parent``, lane ``researcher`` is
            ``parent/researcher``. Outside of a scope, a new parent is made.

    Raises:
        InvalidAffinityIdError: The id breaks the id rules.
        ValueError: Both ``affinity_id`` and ``lane`` are given.

    Example:
        >>> with model_affinity("run-1") as affinity_id:
        ...     with model_affinity(lane="researcher") as lane_id:
        ...         print(affinity_id, lane_id)
        run-1 run-1/researcher
    """

    def __init__(self, affinity_id: str | None = None, *, lane: str | None = None) -> None:
        if affinity_id is not None and lane is not None:
            raise ValueError(f"Give affinity_id or lane, not both: {affinity_id!r} and {lane!r}.")
        for given in (affinity_id, lane):
            if given is not None:
                parse_affinity_id(given)
        self._given = affinity_id
        self._lane = lane

    def __enter__(self) -> str:
        affinity_id = self._given
        if affinity_id is None:
            affinity_id = new_affinity_id()
            if self._lane is not None:
                affinity_id = parse_affinity_id(f"{current_affinity_id() or affinity_id}/{self._lane}")
        _scopes.set((*_scopes.get(), affinity_id))
        return affinity_id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _scopes.set(_scopes.get()[:-1])

    async def __aenter__(self) -> str:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def bind_context(function: Callable[P, T]) -> Callable[P, T]:
    """Carry the current scope into a bare thread or executor, which would lose it.

    Args:
        function: What the thread is to run.

    Returns:
        A callable that runs it in a copy of the caller's context; safe to call many times, concurrently.

    Example:
        >>> import threading
        >>> with model_affinity("run-1"):
        ...     thread = threading.Thread(target=bind_context(lambda: print(current_affinity_id())))
        >>> thread.start(); thread.join()
        run-1
    """
    context = contextvars.copy_context()

    @functools.wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)

    return bound


def find_affinity_header(headers: Mapping[str, object] | None) -> str | None:
    """Read the affinity id from a caller's own headers, whatever their case.

    Raises:
        InvalidAffinityIdError: The header is there and breaks the id rules.
    """
    for name, value in (headers or {}).items():
        if name.lower() == AFFINITY_HEADER.lower():
            return parse_affinity_id(value)
    return None


def resolve_affinity_id(
    *,
    call: str | None = None,
    extra_headers: Mapping[str, object] | None = None,
    model: str | None = None,
    configurable: Mapping[str, Any] | None = None,
    find_run: Callable[[], str | None] = lambda: None,
) -> str | None:
    """Find the id of one request by the order of precedence that this module's docstring gives.

    Args:
        call: The call's own argument.
        extra_headers: The caller's own headers, by name.
        model: The chat model's field.
        configurable: The run's ``configurable``: ``model_affinity_id``, ``x-model-affinity``, ``thread_id`` are read.
        find_run: Finds what tells a thread's run from its others; asked where the id comes from the thread. None for
            the thread's own id.

    Returns:
        The id, or None when nothing names one: then no header is sent.

    Raises:
        InvalidAffinityIdError: The one that wins breaks the id rules.
    """
    configurable = configurable or {}
    scope, run = current_affinity_id(), configurable.get(CONFIGURABLE_KEY) or configurable.get(_HEADER_KEY)
    if scope is not None and isinstance(run, str) and scope.startswith(f"{run}/"):
        run = scope
    for candidate in (call, find_affinity_header(extra_headers), model, run, scope):
        if candidate is not None:
            return parse_affinity_id(candidate)
    thread_id = configurable.get("thread_id")
    return derive_affinity_id(str(thread_id), find_run()) if thread_id not in (None, "") else None
