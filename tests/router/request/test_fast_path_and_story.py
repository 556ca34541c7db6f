"""The fast path and the story do the same: one property over every exchange that can be thought of.

Every script runs twice, once with the fast path and once by the story alone, and all that can be seen of both is
compared: the client's bytes, the provider's bytes, the records, the sessions. What qualifies for the fast path and is
handed over fails too.
"""

import re
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plano_agents.config.model import ModelProfile
from tests.http.server.scripted_connection import clocked
from tests.router.conftest import CLAUDE, GPT, build_config
from tests.router.request.scripted_exchanges import (
    CHAT,
    MESSAGES,
    WIRES,
    Exchange,
    Wire,
    build_good,
    build_request,
    draw_crowd,
    draw_exchange,
)
from tests.router.request.scripted_router import (
    End,
    Leave,
    Outcome,
    Reply,
    Say,
    ScriptedRouter,
    Step,
    Stop,
    Wait,
    run_script,
)

CONFIG = build_config(GPT, CLAUDE)
"""The providers' own addresses, for a Responses request is translated for any other; nobody is dialled."""
RECOVERY_SECONDS = 31.0
"""After which no breaker is open."""


def compare(wire: Wire, script: Sequence[Step], *, is_crowd: bool = False) -> Outcome:
    """Run a script both ways, its session pinned before, and tell what came of it where that is the same.

    Of several clients, those that are stopped at once have their records in any order.
    """
    first = Exchange(build_request(wire), build_good(wire, streams=False)).script()
    fast, slow = (
        run_script(lambda way=way: ScriptedRouter(CONFIG, fast=way, route=wire.route), [*first, *script])  # type: ignore[misc]  # bound now
        for way in (True, False)
    )
    if is_crowd:
        fast, slow = (replace(each, records=tuple(sorted(each.records))) for each in (fast, slow))
    check_same(fast, slow)
    return fast


def check_same(fast: Outcome, slow: Outcome) -> None:
    for each in fields(Outcome):
        ours, told = getattr(fast, each.name), getattr(slow, each.name)
        for number, (one, other) in enumerate(zip(ours, told, strict=False)):
            assert one == other, f"{each.name}, number {number}"
        assert len(ours) == len(told), each.name


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_fast_path_and_story_do_the_same(wire: Wire, data: st.DataObject) -> None:
    exchanges = data.draw(st.lists(draw_exchange(wire), min_size=1, max_size=4))
    compare(wire, [step for each in exchanges for step in each.script()])


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
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_qualifies_is_finished_on_the_fast_path(wire: Wire, data: st.DataObject) -> None:
    """All but the first turn of a session, however its bytes come."""
    exchanges = data.draw(st.lists(draw_exchange(wire, good=True), min_size=1, max_size=4))
    sessions = {re.findall(rb"X-Model-Affinity: (\S+)", each.request)[0] for each in exchanges}
    routers: list[ScriptedRouter] = []

    def build() -> ScriptedRouter:
        routers.append(ScriptedRouter(CONFIG, fast=True, route=wire.route))
        return routers[0]

    run_script(build, [step for each in exchanges for step in each.script()])
    assert routers[0].fast_turns == {
        "finished": len(exchanges) - len(sessions),
        "before the pin": 0,
        "at the pin": len(sessions),
        "at the provider": 0,
    }


@pytest.mark.parametrize("wire", WIRES, ids=["chat", "messages", "responses"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_they_do_the_same_for_two_clients_at_once(wire: Wire, data: st.DataObject) -> None:
    compare(wire, data.draw(draw_crowd(wire)), is_crowd=True)


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
    assert len(outcome.records) == 1 + len(cuts) + len(answer_cuts) + 2
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
async def test_a_request_that_came_with_the_one_before_is_not_begun_once_the_server_stops(*, fast: bool) -> None:
    """No provider is asked, and paid, for an answer that nobody can get any more."""
    request, answer = build_request(CHAT), build_good(CHAT, streams=False)
    async with ScriptedRouter(CONFIG, fast=fast, route="talk") as router:
        await router.play([Say(request), Reply(answer), Say(request * 2)])
        await router.play_at_once([Reply(answer), Stop()])
        assert b"".join(bytes(each.written) for each in router.providers).count(b"POST ") == 2
        assert len(router.trails) == 2


@clocked
async def test_a_request_that_the_fast_path_stumbles_over_is_answered_by_the_story(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a prompt")

    request, answer = build_request(CHAT), build_good(CHAT, streams=False)
    async with ScriptedRouter(CONFIG, fast=True, route="talk") as router:
        await router.play([Say(request), Reply(answer)])
        monkeypatch.setattr("plano_agents.router.request.fast_turn.find_unmet", fail)
        await router.play([Say(request), Reply(answer)])
        outcome = router.observe()
    assert outcome.clients[0][0].count(b"HTTP/1.1 200 ") == 2
    assert dict(outcome.counts)["in flight"] == 0
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
