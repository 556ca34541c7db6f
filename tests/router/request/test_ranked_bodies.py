from plano_agents.config.model import Preference
from plano_agents.router.request.ranked_bodies import RankedBodies
from plano_agents.routing.strategy import Ranking

PATH = "/v1/chat/completions"
RANKING = Ranking("told", Preference("talk", "small talk", ("openai/gpt-4o",)))


def test_the_ranking_of_a_body_is_found_for_one_that_is_the_same() -> None:
    ranked = RankedBodies()
    ranked.keep(PATH, b'{"messages": "a"}', RANKING)
    assert ranked.find(PATH, bytes(bytearray(b'{"messages": "a"}'))) is RANKING
    assert ranked.find(PATH, b'{"messages": "b"}') is None


def test_the_same_body_on_another_surface_is_another() -> None:
    """It is read there in another way."""
    ranked = RankedBodies()
    ranked.keep(PATH, b"{}", RANKING)
    assert ranked.find("/v1/messages", b"{}") is None


def test_the_bodies_that_were_kept_first_go_first() -> None:
    ranked = RankedBodies(most=2)
    for body in (b"a", b"b", b"c"):
        ranked.keep(PATH, body, RANKING)
    assert [ranked.find(PATH, body) for body in (b"a", b"b", b"c")] == [None, RANKING, RANKING]
