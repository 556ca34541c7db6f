from plano_agents.sessions.response_ids import MAX_RESPONSES, Maker, ResponseIds, ResponseKey

MAKER = Maker("run-1", 60.0, None)


def test_the_responses_noted_first_are_forgotten_first() -> None:
    ids = ResponseIds()
    for number in range(MAX_RESPONSES + 1):
        ids.note(ResponseKey("acme", f"resp_{number}"), MAKER)
    assert (ids.find(ResponseKey("acme", "resp_0")), ids.find(ResponseKey("acme", "resp_1"))) == (None, MAKER)
