"""The fast path and the story do the same: one property over every exchange that can be thought of.

Every script runs twice, once with the fast path and once by the story alone, and all that can be seen of both is
compared: the client's bytes, the provider's bytes, the records, the sessions. What qualifies for the fast path and is
handed over fails too.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import ModelProfile
from tests.http.server.scripted_connection import clocked
from tests.router.conftest import CLAUDE, GPT, build_config
from tests.router.request.scripted_exchanges import (
    CHAT,
    MESSAGES,
    RESPONSES,
    WIRES,
    Exchange,
    Wire,
    build_good,
    build_request,
    draw_crowd,
    draw_exchange,
)
from tests.router.request.scripted_router import (
    Elsewhere,
    End,
    HalfClose,
    Leave,
    Outcome,
    Reload,
    Reply,
    Say,
    ScriptedRouter,
    Stall,
    Step,
    Stop,
    Store,
    Wait,
    run_script,
)

CONFIG = build_config(GPT, CLAUDE)
"""The providers' own addresses, for a Responses request is translated for any other; nobody is dialled."""
RECOVERY_SECONDS = 31.0
"""After which no breaker is open."""


Router = Callable[..., ScriptedRouter]
"""Makes a router, which takes the fast path or does not."""
ALONE = partial(ScriptedRouter, CONFIG)
CHOICES = tuple(
    replace(each, models=(each.models[0], other)) for each, other in zip(CONFIG.preferences, (GPT, CLAUDE), strict=True)
)
ROUTERS: Mapping[str, Router] = {
    "alone": ALONE,
    "choosing": partial(ScriptedRouter, replace(CONFIG, preferences=CHOICES)),
    "ranking": partial(ALONE, recalls=False),
    "traced-unmatched": partial(ScriptedRouter, replace(CONFIG, preferences=()), is_traced=True),
    "shared": partial(ALONE, is_shared=True),
    "traced": partial(ALONE, is_traced=True),
    "shared-traced": partial(ALONE, is_shared=True, is_traced=True),
}


LEARNT_FROM = 2
"""From how many answers' heads in a row the next is known here."""
BEFORE = 1 + LEARNT_FROM
"""The first turn, which is the story's, and what is learnt from."""


@pytest.fixture(autouse=True, scope="module")
def _learns_early() -> Iterator[None]:
    """So that what is known of answers is used in short scripts, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plano_agents.router.request.provider_head.LEARNT_FROM", LEARNT_FROM)
        yield


def compare(wire: Wire, script: Sequence[Step], build: Router = ALONE, *, is_crowd: bool = False) -> Outcome:
    """Run a script both ways, the session pinned and answers' heads known before; tell what came of it, if the same.

    Of several clients, those that are stopped at once have their records in any order.
    """
    before = [*Exchange(build_request(wire), build_good(wire, streams=False)).script()] * BEFORE
    fast, slow = (run_script(partial(build, fast=way, route=wire.route), [*before, *script]) for way in (True, False))
    fast, slow = (replace(each, commands=add_up(each.commands)) for each in (fast, slow))
    check_same(*(map(leave_order_out, (fast, slow)) if is_crowd else (fast, slow)))
    return fast


def leave_order_out(outcome: Outcome) -> Outcome:
    """Leave the order of records, sessions and commands out."""
    return replace(
        outcome,
        records=tuple(sorted(map(leave_ids_out, outcome.records))),
        sessions=tuple(sorted(map(leave_ids_out, outcome.sessions))),
        commands=tuple(sorted(map(leave_ids_out, outcome.commands))),
    )


def leave_ids_out(record: bytes) -> bytes:
    """Leave the numbers of ids out of a record: they are given in the order of the records, which may be any."""
    return re.sub(rb"<id \d+>", b"<id>", record)


def add_up(commands: Iterable[bytes]) -> tuple[bytes, ...]:
    """Add up what turns of one session did at one moment; it may be written by one command or by several.

    What the command does within the server follows from it; the pin is prolonged as often.
    """
    sums: dict[bytes, Counter[bytes]] = {}
    others, prolonged = [], set[bytes]()
    for command in commands:
        if (found := re.fullmatch(rb"(EVAL 1 \S*affinity-usage:.+?) (turns .+)", command)) is not None:
            words = found[2].split()
            sums.setdefault(found[1], Counter()).update(dict(zip(words[::2], map(int, words[1::2]), strict=True)))
        elif not command.startswith((b"HINCRBY ", b"HSET ", b"PEXPIRE ")):
            others.append(command)
        elif b"affinity-usage" not in command:
            prolonged.add(command)
    added = [b" ".join([head, *(b"%b %d" % pair for pair in sums[head].items())]) for head in sorted(sums)]
    return (*others, *sorted(prolonged), *added)


def check_same(fast: Outcome, slow: Outcome) -> None:
    for each in fields(Outcome):
        ours, told = getattr(fast, each.name), getattr(slow, each.name)
        for number, (one, other) in enumerate(zip(ours, told, strict=False)):
            assert one == other, f"{each.name}, number {number}"
        assert len(ours) == len(told), each.name


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
@pytest.mark.parametrize("router", ROUTERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_fast_path_and_story_do_the_same(router: str, wire: Wire, data: st.DataObject) -> None:
    exchanges = data.draw(st.lists(draw_exchange(wire, is_shared="shared" in router), min_size=1, max_size=4))
    compare(wire, [step for each in exchanges for step in each.script()], ROUTERS[router])


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    "meanwhile",
    [
        (),
        (Wait(0.3),),
        (Leave(),),
        (Stop(),),
        (HalfClose(),),
        (Stall(), Wait(0.1), Stall()),
        (Reload(),),
        (Elsewhere("drop"),),
        (Elsewhere("move"),),
        (Elsewhere("flush"),),
        (Elsewhere("flush"), Wait(0.3)),
        (Store("fails"), Wait(0.6)),
    ],
    ids=repr,
)
def test_they_do_the_same_whatever_happens_while_a_shared_store_is_awaited(
    wire: Wire,
    streams: bool,  # noqa: FBT001 - parametrized
    meanwhile: tuple[Step, ...],
) -> None:
    request, answer = build_request(wire, streams=streams), build_good(wire, streams=streams)
    awaited: list[Step] = [Store("waits"), Say(request), *meanwhile, Wait(0.1), Store("answers")]
    noted: list[Step] = [Say(request), Store("waits"), Reply(answer), *meanwhile, Wait(0.1), Store("answers")]
    again: list[Step] = [Reply(answer), Wait(1.0), Say(request), Reply(answer)]
    for script in (awaited, noted):
        outcome = compare(wire, [*script, *again, *again], ROUTERS["shared-traced"])
        assert dict(outcome.counts)["violations"] == 0


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
def test_neither_keeps_a_connection_on_which_more_came_than_was_asked_for(wire: Wire) -> None:
    """The bytes after an answer would be taken for the next one's, which may be another client's."""
    answer = build_good(wire, streams=False)
    seen = compare(wire, Exchange(build_request(wire), answer + b"HTTP/1.1 200 OK\r\n\r\n").script())
    assert [is_aborted for _, is_aborted in seen.providers] == [True]


def test_both_leave_out_a_beta_feature_that_the_model_lacks_and_tell_it() -> None:
    config = replace(CONFIG, profiles={CLAUDE: ModelProfile(context_window=200_000)})
    request = build_request(MESSAGES, lines=["anthropic-beta: context-1m-2025-08-07,effort-2025-11-24"])
    script = [step for _ in range(3) for step in Exchange(request, build_good(MESSAGES, streams=False)).script()]
    fast, slow = (
        run_script(lambda way=way: ScriptedRouter(config, fast=way, route=MESSAGES.route), script)  # type: ignore[misc]  # bound now
        for way in (True, False)
    )
    check_same(fast, slow)
    assert b"context-1m" not in b"".join(sent for sent, _ in fast.providers)
    assert b"".join(sent for sent, _ in fast.providers).count(b"effort-2025-11-24") == len(fast.records)
    assert b"".join(said for said, _ in fast.clients).count(b"betas: context-1m-2025-08-07 dropped") == len(
        fast.records
    )


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
def test_both_name_clients_by_their_keys_and_keep_their_sessions_apart(wire: Wire) -> None:
    keys = {name: f"{name}-key-of-24-characters" for name in ("alice", "bob")}
    config = replace(CONFIG, client_keys=tuple(build_client_key(key, name) for name, key in keys.items()))
    script = [
        step
        for _ in range(3)
        for key in keys.values()
        for step in Exchange(build_request(wire, lines=[f"x-api-key: {key}"]), build_good(wire, streams=False)).script()
    ]
    routers: list[ScriptedRouter] = []

    def build(*, fast: bool) -> ScriptedRouter:
        routers.append(ScriptedRouter(config, fast=fast, route=wire.route))
        return routers[-1]

    fast, slow = run_script(partial(build, fast=True), script), run_script(partial(build, fast=False), script)
    check_same(fast, slow)
    named = [(record["client"], record["session"][0]) for told in map(json.loads, fast.records) for record in told]
    assert named == [(name, name) for _ in range(3) for name in keys]
    assert routers[0].fast_turns["finished"] == 6


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
@pytest.mark.parametrize("router", ["alone", "choosing", "ranking", "traced-unmatched", "shared-traced"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_qualifies_is_finished_on_the_fast_path(router: str, wire: Wire, data: st.DataObject) -> None:
    """All, however its bytes come; of a session's first turns those that are routed at once, in this process alone."""
    exchanges = data.draw(st.lists(draw_exchange(wire, good=True), min_size=1, max_size=4))
    sessions = {re.findall(rb"X-Model-Affinity: (\S+)", each.request)[0] for each in exchanges}
    routers: list[ScriptedRouter] = []

    def build() -> ScriptedRouter:
        routers.append(ROUTERS[router](fast=True, route=wire.route))
        return routers[0]

    run_script(build, [step for each in exchanges for step in each.script()])
    handed = len(sessions) if router in {"ranking", "shared-traced"} else 0
    assert routers[0].fast_turns == {
        "finished": len(exchanges) - handed,
        "broken off": 0,
        "before the pin": 0,
        "at the pin": handed,
        "at the provider": 0,
    }


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
@pytest.mark.parametrize("router", ["alone", "shared-traced"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_they_do_the_same_for_two_clients_at_once(router: str, wire: Wire, data: st.DataObject) -> None:
    compare(wire, data.draw(draw_crowd(wire)), ROUTERS[router], is_crowd=True)


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("end", [End(breaks=True), End(), Leave(), Stop(), Reload(), Wait(301.0)], ids=repr)
def test_they_do_the_same_however_a_first_turn_goes_wrong(wire: Wire, streams: bool, end: Step) -> None:  # noqa: FBT001 - parametrized
    """Five sessions, so that a breaker opens; then one that finds it open; then all of them again."""
    answer = build_good(wire, streams=streams)
    requests = [build_request(wire, streams=streams, affinity_id=f"new-{number}") for number in range(6)]
    script: list[Step] = []
    for request in requests:
        script += [Say(request), end, *[Reply(answer)] * 3, Wait(0.5)]
    for request in requests:
        script += [Say(request), *[Reply(answer)] * 3]
    outcome = compare(wire, script, ROUTERS["choosing"])
    assert dict(outcome.counts)["violations"] == 0


SOME_OR_ALL = pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.soak)], ids=["some", "all"])
"""At every byte takes a minute, at every eleventh a few seconds."""


@SOME_OR_ALL
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
def test_they_do_the_same_wherever_reads_are_cut(wire: Wire, streams: bool, stride: int) -> None:  # noqa: FBT001
    request, answer = build_request(wire, streams=streams), build_good(wire, streams=streams)
    cuts, answer_cuts = range(1, len(request), stride), range(1, len(answer), stride)
    script: list[Step] = []
    for cut in cuts:
        script += [Say(request[:cut]), Say(request[cut:]), Reply(answer)]
    for cut in answer_cuts:
        script += [Say(request), Reply(answer[:cut], ends=False), Reply(answer[cut:])]
    script += [Say(request + request[:9]), Reply(answer), Say(request[9:]), Reply(answer)]  # pipelined
    outcome = compare(wire, script)
    assert len(outcome.records) == BEFORE + len(cuts) + len(answer_cuts) + 2
    assert dict(outcome.counts)["violations"] == 0


@SOME_OR_ALL
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("end", [Leave(), End(), End(breaks=True)], ids=["client", "end", "break"])
@pytest.mark.parametrize("wire", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_they_do_the_same_wherever_a_connection_ends(
    wire: Wire,
    end: Step,
    streams: bool,  # noqa: FBT001 - parametrized
    stride: int,
) -> None:
    """The client's or the provider's, within the answer; a request that is sent again is answered."""
    request, answer = build_request(wire, streams=streams), build_good(wire, streams=streams)
    script: list[Step] = []
    for cut in range(0, len(answer), stride):
        begun = [Reply(answer[:cut], ends=False)] if cut else []
        script += [Say(request), *begun, end, Reply(answer), Wait(RECOVERY_SECONDS)]
    outcome = compare(wire, script)
    assert dict(outcome.counts)["in flight"] == 0
    assert dict(outcome.counts)["violations"] == 0


@SOME_OR_ALL
@pytest.mark.parametrize("wire", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_they_do_the_same_wherever_a_client_leaves_its_request(wire: Wire, stride: int) -> None:
    request = build_request(wire)
    script: list[Step] = []
    for cut in range(1, len(request), stride):
        script += [Say(request[:cut]), Leave()]
    outcome = compare(wire, script)
    assert len(outcome.providers) == 1, "nobody was asked but for the first"


@pytest.mark.parametrize("fast", [True, False])
@clocked
async def test_a_request_that_came_with_the_one_before_is_answered_or_not_begun_once_the_server_stops(
    *, fast: bool
) -> None:
    """No provider is asked, and paid, for an answer that nobody can get any more."""
    request, answer = build_request(CHAT), build_good(CHAT, streams=False)
    async with ScriptedRouter(CONFIG, fast=fast, route="talk") as router:
        await router.play([Say(request), Reply(answer), Say(request * 2)])
        await router.play_at_once([Reply(answer), Stop()])
        asked = b"".join(bytes(each.written) for each in router.providers).count(b"POST ")
        await router.play([Reply(answer)] * (asked - 2))
        outcome = await router.observe()
    assert outcome.clients[0][0].count(b"HTTP/1.1 ") == asked
    assert outcome.clients[0][0].count(b"connection: close\r\n") <= 1


@clocked
async def test_a_request_that_the_fast_path_stumbles_over_is_answered_by_the_story(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a prompt")

    request, answer = build_request(CHAT), build_good(CHAT, streams=False)
    async with ScriptedRouter(CONFIG, fast=True, route="talk") as router:
        await router.play([Say(request), Reply(answer)])
        monkeypatch.setattr("plano_agents.router.request.fast_plan.Plan.fit", fail)
        await router.play([Say(request), Reply(answer)])
        outcome = await router.observe()
    assert outcome.clients[0][0].count(b"HTTP/1.1 200 ") == 2
    assert dict(outcome.counts)["in flight"] == 0
    assert "RuntimeError" in caplog.text
    assert "a prompt" not in caplog.text


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
def test_a_conversation_that_is_not_json_is_refused_among_requests_that_are_alike_around_it(wire: Wire) -> None:
    """The fields around it were parsed before; a provider must not be asked, and paid, for what it cannot read."""
    name = "input" if wire is RESPONSES else "messages"
    good = build_request(wire, fields={name: [{"role": "user", "content": "one"}]})
    broken = good.replace(b'"one"', b'"o"n"')
    answer = build_good(wire, streams=False)
    asked: list[Step] = [Say(good), Reply(answer)]
    outcome = compare(wire, [*asked, *asked, *asked, Say(broken), *asked])
    answers = b"".join(sent for sent, _ in outcome.clients)
    assert (answers.count(b"HTTP/1.1 200 "), answers.count(b"HTTP/1.1 400 ")) == (BEFORE + 4, 1)
    assert b"".join(sent for sent, _ in outcome.providers).count(b"POST ") == BEFORE + 4


@pytest.mark.parametrize("wire", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_blanks_after_a_conversation_are_left_out_among_requests_that_are_alike_around_it(wire: Wire) -> None:
    good = build_request(wire)
    head, _, body = good.partition(b"\r\n\r\n")
    wider = body.replace(b"}]", b"}] ")
    spaced = head.replace(b": %d" % len(body), b": %d" % len(wider)) + b"\r\n\r\n" + wider
    outcome = compare(wire, [Say(spaced), Reply(build_good(wire, streams=False))])
    sent = b"".join(sent for sent, _ in outcome.providers)
    assert (sent.count(b"}],"), sent.count(b"}] ")) == (BEFORE + 1, 0)


@pytest.mark.parametrize("fast", [True, False])
@clocked
async def test_a_bug_once_a_provider_is_spoken_to_is_answered_and_keeps_nothing(
    caplog: pytest.LogCaptureFixture, *, fast: bool
) -> None:
    """The story must not ask again: the provider may have the request."""

    def fail(data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError("a prompt")

    request, answer = build_request(CHAT), build_good(CHAT, streams=False)
    async with ScriptedRouter(CONFIG, fast=fast, route="talk") as router:
        await router.play([Say(request), Reply(answer)])
        router.providers[0].write = fail  # type: ignore[method-assign]  # of this one connection
        await router.play([Say(request)])
        stumbled = await router.observe()
        await router.play([Say(request), Reply(answer)])
        outcome = await router.observe()
    assert stumbled.clients[0][0].count(b"HTTP/1.1 500 ") == 1
    assert dict(stumbled.counts)["in flight"] == 0
    assert b"".join(sent for sent, _ in outcome.clients).count(b"HTTP/1.1 200 ") == 2
    assert b"".join(sent for sent, _ in outcome.providers).count(b"POST ") == 2
    assert "RuntimeError" in caplog.text
    assert "a prompt" not in caplog.text


def test_a_difference_is_found_wherever_it_is() -> None:
    """A check of the check: other words of the client, of the provider, and a time-out that comes."""
    request, answer = build_request(CHAT), build_good(CHAT, streams=False)
    scripts: list[list[Step]] = [
        [Say(request), Reply(answer)],
        [Say(request.replace(b"hi", b"ho")), Reply(answer)],
        [Say(request), Reply(answer.replace(b"c1", b"c2"))],
        [Say(request), Wait(1.0), Reply(answer)],
        [Say(request), Reply(answer[:-1], ends=False), Leave()],
    ]
    outcomes = [run_script(lambda: ScriptedRouter(CONFIG, route="talk"), script) for script in scripts]
    for other in outcomes[1:]:
        with pytest.raises(AssertionError, match="number 0"):
            check_same(outcomes[0], other)
    check_same(outcomes[0], run_script(lambda: ScriptedRouter(CONFIG, route="talk"), scripts[0]))
