"""The operators' endpoints: sessions explained, listed and dropped, what affinity saved, and the metrics.

Everything here asks `admin` first. What a session is stands in ``sessions``.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from plano_agents.config.model import Config
from plano_agents.errors import RequestError
from plano_agents.http.origin import find_peer
from plano_agents.observe.exposition import CONTENT_TYPE
from plano_agents.router.operate.admin import check_operator
from plano_agents.router.operate.find_session import check_id, find_session, word_not_found
from plano_agents.router.watch.ghosts.days import Days
from plano_agents.router.watch.ghosts.report import Report, build_report
from plano_agents.router.watch.metrics import Metrics
from plano_agents.sessions.lanes import read_source
from plano_agents.sessions.pin import Pin, Session, SessionKey
from plano_agents.sessions.store import KEPT_DAYS, SessionStore, Wanted

_REFUSAL = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIError"}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Not allowed, not found, or not as it is asked for.", "content": _REFUSAL},
    "5XX": {"description": "The session store does not answer.", "content": _REFUSAL},
}

MAX_PAGE = 500
"""How many sessions a page lists at most."""

TenantQuery = Annotated[str, Query(description="The tenant header's value; empty where tenants are not separated.")]


BeginningQuery = Annotated[
    bool,
    Query(description="Whether a beginning that fits one session alone will do, or the id of a harness' session."),
]


class SwitchInfo(BaseModel):
    """A session's change from one model to another."""

    at: datetime
    from_model: str
    to_model: str
    reason: str = Field(description="As in `X-Plano-Affinity`.")
    because: str | None = Field(None, description="What exactly: the field, the status, the limit.")


class DeploymentMoveInfo(BaseModel):
    """A session's change from one deployment of its model to another."""

    at: datetime
    model: str
    from_deployment: str | None
    to_deployment: str | None
    because: str | None = Field(None, description="What exactly: the status, the limit.")


class DetourInfo(BaseModel):
    """A turn that another model served for its own sake, while the pin stayed."""

    at: datetime
    model: str
    because: str | None = Field(None, description="What exactly the pinned model could not serve.")


class TokensInfo(BaseModel):
    """The tokens of a session, as far as its providers counted."""

    input: int
    output: int
    cached: int


class SessionInfo(BaseModel):
    """A session, explained."""

    affinity_id: str
    tenant: str
    source: str | None = Field(
        None, description="Where the id comes from, as in `X-Plano-Session`; null for an affinity id."
    )
    label: str | None = Field(None, description="What its client calls it, by `X-Plano-Label`.")
    model: str = Field(description="The pinned model, provider-qualified.")
    deployment: str | None = Field(None, description="Which of the model's deployments it is pinned to.")
    route: str | None = Field(description="The preference that chose it.")
    decision: Literal["initialize", "switch"] = Field(
        description="The decision that set the model: `initialize`, of the session's first request, or `switch`, of a later one."
    )
    reason: str = Field(description="Why.")
    why: str = Field(description="The same in words.")
    pinned_at: datetime = Field(description="When the session was first pinned.")
    age_seconds: float
    last_used_at: datetime
    seconds_left: float = Field(description="How long the pin lives on if nobody uses it.")
    requests_in_flight: int = Field(description="As far as the process knows that was asked.")
    turns: int = Field(description="Requests served under this pin.")
    tokens: TokensInfo
    switch_count: int
    switches: list[SwitchInfo] = Field(description="The latest switches, oldest first.")
    deployment_moves: list[DeploymentMoveInfo] = Field(
        default=[], description="The latest moves to other deployments of the model, oldest first."
    )
    detour_count: int = 0
    last_detour: DetourInfo | None = Field(None, description="The latest turn that another model served.")
    degraded: Literal["store"] | None = Field(
        default=None, description="Set where the shared store does not answer: this is one replica's memory."
    )


class SessionPage(BaseModel):
    """Some sessions."""

    sessions: list[SessionInfo]
    next: str | None = Field(description="The cursor of the next page; null at the end.")
    degraded: Literal["store"] | None = Field(
        default=None, description="Set where the shared store does not answer: this is one replica's memory."
    )


class Dropped(BaseModel):
    """A pin that was dropped."""

    affinity_id: str
    tenant: str
    dropped: Literal[True] = True


class Filters(BaseModel):
    """The query of a list of sessions."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=MAX_PAGE, description="How many at most; a page may be shorter before the end.")
    cursor: str | None = Field(None, max_length=64, description="The ``next`` of the page before.")
    tenant: str | None = Field(None, description="Only this tenant's.")
    prefix: str | None = Field(None, description="Only ids that begin with this.")
    model: str | None = Field(None, description="Only those on this model, however it is spelt.")
    route: str | None = Field(None, description="Only those that this preference chose.")


def build_operators_api(
    config: Config,
    store: SessionStore,
    metrics: Metrics,
    days: Days,
    *,
    wall_clock: Callable[[], float] = time.time,
) -> APIRouter:
    """Put the operators' endpoints together.

    Args:
        config: Its admin token opens them.
        store: Where sessions are kept.
        metrics: What is counted.
        days: The sums of the turns that were routed beside.
        wall_clock: Unix time in seconds.
    """

    async def let_in(request: Request) -> None:
        check_operator(
            config.admin_token,
            request.headers.items(),
            find_peer(request.scope),
            request.scope["http_version"],
        )

    has_tenants = config.has_tenants
    api = APIRouter(dependencies=[Depends(let_in)], responses=_REFUSALS)

    @api.get("/affinity", summary="List sessions", response_model_exclude_none=False)
    async def list_sessions(filters: Annotated[Filters, Query()]) -> SessionPage:
        model = filters.model
        found = config.find_model(model) if model is not None else None
        wanted = Wanted(filters.tenant, filters.prefix, found.name if found is not None else model, filters.route)
        page = await store.scan(wanted, limit=filters.limit, cursor=filters.cursor)
        return SessionPage(
            sessions=[describe_session(each, now=wall_clock()) for each in page.sessions],
            next=page.cursor,
            degraded="store" if page.degraded else None,
        )

    @api.get("/affinity/{affinity_id:path}", summary="Explain a session")
    async def explain_session(
        affinity_id: str, tenant: TenantQuery = "", *, beginning: BeginningQuery = False
    ) -> SessionInfo:
        session, degraded = await find_session(
            store, tenant, affinity_id, has_tenants=has_tenants, by_beginning=beginning
        )
        info = describe_session(session, now=wall_clock())
        return info.model_copy(update={"degraded": "store"}) if degraded else info

    @api.delete("/affinity/{affinity_id:path}", summary="Drop a session's pin")
    async def drop_session(affinity_id: str, tenant: TenantQuery = "") -> Dropped:
        if not await store.drop(SessionKey(tenant, check_id(affinity_id))):
            raise word_not_found(affinity_id, tenant, has_tenants=has_tenants)
        return Dropped(affinity_id=affinity_id, tenant=tenant)

    @api.get("/report", summary="What affinity saved")
    async def report(
        since: Annotated[
            str | None,
            Query(
                description="The first day, in UTC; all that are kept where absent.",
                json_schema_extra={"format": "date"},
            ),
        ] = None,
    ) -> Report:
        first = days.today - timedelta(days=KEPT_DAYS - 1) if since is None else _read_day(since)
        if first > days.today:
            raise RequestError(
                f"The parameter 'since' is {first}, and today is {days.today} (UTC). Name an earlier day.",
                param="since",
            )
        found = await days.read(first)
        return build_report(found, observe=config.routing.observe, since=first, began_at=days.began_at)

    @api.get("/metrics", summary="Metrics, in Prometheus' text format", response_class=Response)
    async def show_metrics() -> Response:
        return Response(await metrics.render(), media_type=CONTENT_TYPE)

    return api


def _read_day(text: str) -> date:
    """Read a day as ISO writes it.

    Raises:
        RequestError: It is none.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise RequestError(f"The parameter 'since' is {text!r}. Write a day such as 2026-11-29.", param="since")
    return day


def describe_session(session: Session, *, now: float) -> SessionInfo:
    """Explain a session.

    Args:
        session: What is known of it.
        now: Unix time in seconds.
    """
    pin, detour = session.pin, session.notes.detour
    last = pin.switches[-1] if pin.switches else None
    return SessionInfo(
        affinity_id=session.key.affinity_id,
        tenant=session.key.tenant,
        source=read_source(session.key.affinity_id),
        label=session.notes.label,
        model=pin.model,
        deployment=pin.deployment,
        route=pin.route,
        decision="switch" if last is not None else "initialize",
        reason=last.reason if last is not None else pin.reason,
        why=_say_why(pin),
        pinned_at=_time(pin.pinned_at),
        age_seconds=round(max(0.0, now - pin.pinned_at), 3),
        last_used_at=_time(session.last_used),
        seconds_left=round(session.seconds_left, 3),
        requests_in_flight=session.requests_in_flight,
        turns=session.turns,
        tokens=TokensInfo(**session.tokens._asdict()),
        switch_count=pin.moves,
        switches=[
            SwitchInfo(
                at=_time(each.at),
                from_model=each.from_model,
                to_model=each.to_model,
                reason=each.reason,
                because=each.because,
            )
            for each in pin.switches
        ],
        deployment_moves=[
            DeploymentMoveInfo(
                at=_time(each.at),
                model=each.model,
                from_deployment=each.from_deployment,
                to_deployment=each.to_deployment,
                because=each.because,
            )
            for each in pin.deployment_moves
        ],
        detour_count=session.notes.detours,
        last_detour=DetourInfo(at=_time(detour.at), model=detour.model, because=detour.because) if detour else None,
    )


def _say_why(pin: Pin) -> str:
    if pin.switches:
        last = pin.switches[-1]
        reasons = {
            "upstream_failed": f"{last.from_model} failed for good, and {last.to_model} answered in its place",
            "unsuitable": f"{last.from_model} could not serve a request, and {last.to_model} could",
            "model_removed": f"{last.from_model} left the configuration, and the request was routed anew",
            "user_turn": f"a new user message was routed from {last.from_model} to {last.to_model}",
        }
        because = f" ({last.because})" if last.because is not None else ""
        return reasons.get(last.reason, last.reason) + because
    if pin.reason == "hint":
        return "the transcript was made by this model (X-Model-Affinity-Hint), and no pin was left"
    matched = f"matched the preference {pin.route!r}" if pin.route is not None else "matched no preference"
    return f"the session's first turn {matched}"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
