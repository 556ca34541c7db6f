"""A session by what an operator types of its id: the id, a beginning that fits it alone, or a harness' own session id.

A harness' session has a pin for each of its lanes; its own id means the main one, where there is one of these.
"""

from plano_agents.affinity import parse_affinity_id
from plano_agents.errors import SessionNotFoundError
from plano_agents.sessions.lanes import SEPARATOR
from plano_agents.sessions.pin import Session, SessionKey
from plano_agents.sessions.store import SessionStore, Wanted

MAX_NAMED = 5
"""How many of the sessions that a beginning fits are named."""

_PAGE = 500
_MAIN = "main/"


async def find_session(
    store: SessionStore, tenant: str, affinity_id: str, *, has_tenants: bool, by_beginning: bool
) -> tuple[Session, bool]:
    """Find a session.

    Args:
        store: Where sessions are kept.
        tenant: Whose it is; empty where tenants are not separated.
        affinity_id: The id, or a beginning of it.
        has_tenants: Whether tenants are separated here.
        by_beginning: Whether a beginning will do.

    Returns:
        The session, and whether that is only what this replica knows.

    Raises:
        InvalidAffinityIdError: A part of the id breaks the id rules.
        SessionNotFoundError: There is none, or the beginning fits several; these are named.
    """
    session, degraded = await store.find(SessionKey(tenant, check_id(affinity_id)))
    if session is not None:
        return session, degraded
    if not by_beginning:
        raise word_not_found(affinity_id, tenant, has_tenants=has_tenants)
    found, degraded = await _list_beginning(store, tenant, affinity_id)
    main = [each for each in found if _is_main_of(each.key.affinity_id, affinity_id)]
    if len(main) == 1 or len(found) == 1:
        return (main or found)[0], degraded
    if not found:
        raise word_not_found(affinity_id, tenant, has_tenants=has_tenants)
    named = ", ".join(repr(each.key.affinity_id) for each in found[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    raise SessionNotFoundError(
        f"The prefix {affinity_id!r} fits {len(found)} sessions: {named}{more}. Write more of it.",
        param="affinity_id",
    )


def check_id(affinity_id: str) -> str:
    """Check an id; those of sessions that no client can name, implicit ones and harnesses', can be asked for.

    Raises:
        InvalidAffinityIdError: A part of it breaks the id rules.
    """
    for part in affinity_id.rstrip(SEPARATOR).split(SEPARATOR):
        parse_affinity_id(part)
    return affinity_id


def word_not_found(affinity_id: str, tenant: str, *, has_tenants: bool) -> SessionNotFoundError:
    """Word that an id has no live pin."""
    of = f" of the tenant {tenant!r}" if tenant else ""
    if has_tenants and not tenant:
        of = " of no tenant (name one with ?tenant=, or --tenant in the terminal)"
    return SessionNotFoundError(
        f"The affinity id {affinity_id!r}{of} has no live pin: it was never used here, or its pin has expired.",
        param="affinity_id",
    )


async def _list_beginning(store: SessionStore, tenant: str, affinity_id: str) -> tuple[list[Session], bool]:
    """List the sessions whose id, or harness' own session id, begins so."""
    found: dict[SessionKey, Session] = {}
    cursor: str | None = None
    while True:
        page = await store.scan(Wanted(tenant=tenant, named=affinity_id), limit=_PAGE, cursor=cursor)
        found |= {each.key: each for each in page.sessions}
        cursor = page.cursor
        if cursor is None:
            return list(found.values()), page.degraded


def _is_main_of(key: str, session: str) -> bool:
    """Check whether a key is that of the main lane of a harness' session."""
    match key.split(SEPARATOR):
        case [_, own, lane]:
            return own == session and lane.startswith(_MAIN)
        case _:
            return False
