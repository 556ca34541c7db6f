from plano_agents.affinity import MAX_ID_LENGTH
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.response_ids import MAX_RESPONSES, ResponseIds

KEY = SessionKey("acme", "run-1")


def test_a_response_leads_to_its_session_within_its_tenant_alone() -> None:
    ids = ResponseIds()
    ids.note("resp_1", KEY, 60.0, None)
    assert ids.find("acme", "resp_1") == (KEY, 60.0, None)
    assert ids.find("other", "resp_1") is None


def test_the_responses_noted_first_are_forgotten_first() -> None:
    ids = ResponseIds()
    for number in range(MAX_RESPONSES + 1):
        ids.note(f"resp_{number}", KEY, 60.0, None)
    assert (ids.find("acme", "resp_0"), ids.find("acme", "resp_1") is None) == (None, False)


def test_an_id_that_is_too_long_is_not_kept() -> None:
    ids = ResponseIds()
    ids.note("x" * (MAX_ID_LENGTH + 1), KEY, 60.0, None)
    assert ids.find("acme", "x" * (MAX_ID_LENGTH + 1)) is None
