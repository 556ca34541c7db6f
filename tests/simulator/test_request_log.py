import pytest

from plano_agents.simulator.request_log import LoggedRequest, RequestLog, name_authorization


def build_entry(order: int) -> LoggedRequest:
    return LoggedRequest(
        order=order,
        wire="openai",
        path="/v1/chat/completions",
        model="m",
        status=200,
        stream=False,
        affinity_id=None,
        authorization=None,
        headers=(),
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
    )


def test_the_last_thousand_requests_are_kept() -> None:
    log = RequestLog()
    for _ in range(1005):
        log.record(build_entry(log.next_order()))
    assert [log.entries[at].order for at in (0, -1)] == [6, 1005]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({}, None),
        ({"authorization": "Bearer k"}, "bearer"),
        ({"authorization": "a-key-and-nothing-else"}, "other"),
        ({"x-api-key": "k"}, "x-api-key"),
    ],
)
def test_how_a_key_came_is_named(headers: dict[str, str], name: str | None) -> None:
    assert name_authorization(headers) == name
