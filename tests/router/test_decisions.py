"""Every row of the affinity contract, on every surface, plain and streamed, by the headers of the answer."""

import json
from dataclasses import dataclass, replace

import pytest

from plano_agents.config.model import Config, Deployment, ModelProfile, Preference
from plano_agents.config.options import Retries
from plano_agents.router.request.service import Service
from plano_agents.router.request.surfaces import CHAT, MESSAGES, RESPONSES, Endpoint, Surface
from tests.router.conftest import (
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_config,
    build_model,
    build_pinning,
    build_service,
)
from tests.router.test_unsuitable import OFFERED, PLAIN, SHOWN, good_answer

FIRST, SECOND, ADDED = "openai/first", "openai/second", "openai/added"
ID = ("x-model-affinity", "run-1")
BROKEN = MemoryResponse(status=500, pieces=(b"{}",))


@pytest.fixture(params=[CHAT, MESSAGES, RESPONSES], ids=lambda surface: surface.form.value)
def surface(request: pytest.FixtureRequest) -> Surface:
    found: Surface = request.param
    return found


@pytest.fixture(params=[True, False], ids=["streamed", "plain"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@dataclass(frozen=True, slots=True)
class Client:
    """A client of a surface."""

    surface: Surface
    streamed: bool

    @property
    def good(self) -> MemoryResponse:
        """A provider's answer."""
        return good_answer(self.surface, streamed=self.streamed)

    async def ask(
        self, service: Service, *headers: tuple[str, str], body: dict[Surface, dict[str, object]] = PLAIN
    ) -> tuple[str, str, str | None, str | None]:
        """Ask; give the model, the decision, the route and the id that the answer says."""
        whole = json.dumps(body[self.surface] | {"stream": self.streamed}).encode()
        seen: Seen = await ask(service, whole, *headers, endpoint=Endpoint(self.surface))
        assert seen.status == 200
        said = seen.headers
        return (
            said["x-plano-model"],
            said["x-plano-affinity"],
            said.get("x-plano-route"),
            said.get("x-model-affinity"),
        )


@pytest.fixture
def client(surface: Surface, streamed: bool) -> Client:  # noqa: FBT001 - a fixture
    return Client(surface, streamed)


def config(*models: str, profiles: dict[str, ModelProfile] | None = None) -> Config:
    """One preference, "work", over the models."""
    return build_config(
        models=tuple(map(build_model, models)),
        preferences=(Preference("work", "any work", models),),
        retries=Retries(max_per_candidate=0),
        profiles=profiles or {},
    )


def serve(config: Config, *answers: MemoryResponse, **options: object) -> Service:
    return build_service(config, MemoryUpstream(*answers), strategy=Choose("work"), **options)  # type: ignore[arg-type] # the test names them


async def test_none(client: Client) -> None:
    service = serve(config(FIRST), client.good)
    assert await client.ask(service) == (FIRST, "none", "work", None)


async def test_initialize_first_turn(client: Client) -> None:
    service = serve(config(FIRST), client.good)
    assert await client.ask(service, ID) == (FIRST, "initialize; reason=first_turn", "work", "run-1")


async def test_initialize_hint(client: Client) -> None:
    service = serve(config(FIRST, SECOND), client.good)
    hint = ("x-model-affinity-hint", "second")
    assert await client.ask(service, ID, hint) == (SECOND, "initialize; reason=hint", None, "run-1")


async def test_retain_pinned(client: Client) -> None:
    service = serve(config(FIRST), client.good)
    await client.ask(service, ID)
    assert await client.ask(service, ID) == (FIRST, "retain; reason=pinned", "work", "run-1")


def deployed(*models: str) -> Config:
    """One preference over models, the first with two deployments."""
    first, *others = map(build_model, models)
    places = (Deployment("eu", "https://eu.api.openai.com"), Deployment("us", "https://us.api.openai.com"))
    return replace(config(*models), models=(replace(first, deployments=places), *others))


async def test_retain_deployment(client: Client) -> None:
    upstream = MemoryUpstream(client.good, BROKEN, client.good)
    service = build_service(deployed(FIRST, SECOND), upstream, strategy=Choose("work"))
    await client.ask(service, ID)
    assert await client.ask(service, ID) == (
        FIRST,
        "retain; reason=deployment; because=status 500",
        "work",
        "run-1",
    )
    assert await client.ask(service, ID) == (FIRST, "retain; reason=pinned", "work", "run-1")
    first, failed, answered, last = [request.url.split("/")[2] for request in upstream.requests]
    assert first == failed != answered == last


async def test_switch_upstream_failed_on_all_deployments(client: Client) -> None:
    service = serve(deployed(FIRST, SECOND), client.good, BROKEN, BROKEN, client.good)
    await client.ask(service, ID)
    assert await client.ask(service, ID) == (
        SECOND,
        "switch; reason=upstream_failed; because=status 500",
        "work",
        "run-1",
    )
    assert await client.ask(service, ID) == (SECOND, "retain; reason=pinned", "work", "run-1")


async def test_switch_upstream_failed(client: Client) -> None:
    service = serve(config(FIRST, SECOND), client.good, BROKEN, client.good)
    await client.ask(service, ID)
    assert await client.ask(service, ID) == (
        SECOND,
        "switch; reason=upstream_failed; because=status 500",
        "work",
        "run-1",
    )
    assert await client.ask(service, ID) == (SECOND, "retain; reason=pinned", "work", "run-1")


async def test_detour_unsuitable(client: Client) -> None:
    """A parameter that one model does not take, where `unsupported_params` asks for another."""
    hot = {surface: body | {"temperature": 0.5} for surface, body in PLAIN.items()}
    profiles = {FIRST: ModelProfile(sampling="default")}
    service = serve(replace(config(FIRST, SECOND, profiles=profiles), unsupported_params="move"), client.good)
    await client.ask(service, ID)
    told = f"detour; reason=unsuitable; pinned={FIRST}; because=temperature"
    assert await client.ask(service, ID, body=hot) == (SECOND, told, "work", "run-1")
    assert await client.ask(service, ID) == (FIRST, "retain; reason=pinned", "work", "run-1")


async def test_initialize_first_turn_with_the_next_where_the_first_cannot_serve_it(client: Client) -> None:
    hot = {surface: body | {"temperature": 0.5} for surface, body in PLAIN.items()}
    profiles = {FIRST: ModelProfile(sampling="default")}
    service = serve(replace(config(FIRST, SECOND, profiles=profiles), unsupported_params="move"), client.good)
    told = await client.ask(service, ID, body=hot)
    assert told == (SECOND, "initialize; reason=first_turn", "work", "run-1")
    assert await client.ask(service, ID) == (SECOND, "retain; reason=pinned", "work", "run-1")


async def test_initialize_hint_with_the_next_where_the_transcript_holds_what_the_first_does_not_take(
    client: Client,
) -> None:
    service = serve(config(FIRST, SECOND, profiles={FIRST: ModelProfile(images=False)}), client.good)
    hinted = await client.ask(service, ID, ("x-model-affinity-hint", FIRST), body=SHOWN)
    assert hinted == (SECOND, "initialize; reason=hint", None, "run-1")
    assert await client.ask(service, ID) == (SECOND, "retain; reason=pinned", None, "run-1")


async def test_switch_unsuitable(client: Client) -> None:
    service = serve(config(FIRST, SECOND, profiles={FIRST: ModelProfile(tools=False)}), client.good)
    await client.ask(service, ID)
    assert await client.ask(service, ID, body=OFFERED) == (
        SECOND,
        "switch; reason=unsuitable; because=tools",
        "work",
        "run-1",
    )
    assert await client.ask(service, ID) == (SECOND, "retain; reason=pinned", "work", "run-1")


async def test_switch_model_removed(client: Client) -> None:
    pinning = build_pinning()
    await client.ask(serve(config(FIRST), client.good, pinning=pinning), ID)
    after = serve(config(ADDED), client.good, pinning=pinning)
    assert await client.ask(after, ID) == (
        ADDED,
        f"switch; reason=model_removed; because={FIRST}",
        "work",
        "run-1",
    )
    assert await client.ask(after, ID) == (ADDED, "retain; reason=pinned", "work", "run-1")


async def test_switch_user_turn(client: Client) -> None:
    """A new user message that another preference matches; sent again, it keeps the model."""
    pinning, scope = build_pinning(), ("x-model-affinity-scope", "user_turn")
    await client.ask(serve(config(FIRST, SECOND), client.good, pinning=pinning), ID, scope)
    talk = replace(config(FIRST, SECOND), preferences=(Preference("work", "any work", (SECOND,)),))
    after = serve(talk, client.good, pinning=pinning)
    assert await client.ask(after, ID, scope) == (FIRST, "retain; reason=pinned", "work", "run-1")
    said = {surface: again(body) for surface, body in PLAIN.items()}
    told = "switch; reason=user_turn; because=preference work"
    assert await client.ask(after, ID, scope, body=said) == (SECOND, told, "work", "run-1")
    assert await client.ask(after, ID, scope, body=said) == (SECOND, "retain; reason=pinned", "work", "run-1")


def again(body: dict[str, object]) -> dict[str, object]:
    """The same conversation with another user message."""
    field = "input" if "input" in body else "messages"
    said = body[field]
    first = said if isinstance(said, list) else [{"role": "user", "content": said}]
    return body | {field: [*first, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Go on."}]}


async def test_a_session_pinned_by_a_hint_has_the_stand_ins_of_its_models_preference(client: Client) -> None:
    service = serve(config(FIRST, SECOND), client.good, BROKEN, client.good)
    await client.ask(service, ID, ("x-model-affinity-hint", FIRST))
    assert await client.ask(service, ID) == (
        SECOND,
        "switch; reason=upstream_failed; because=status 500",
        None,
        "run-1",
    )
    assert await client.ask(service, ID) == (SECOND, "retain; reason=pinned", None, "run-1")
