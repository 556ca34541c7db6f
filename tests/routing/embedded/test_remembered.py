"""Scores that are remembered: what shares them, what is kept of a text, and how many."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.remembered import RememberedScores
from plano_agents.routing.text import Utterance

SECRET = "the merger is called Bluebird"
WRITE = Preference("write", "stories", ("a/b",))

words = st.text(alphabet="ab ", max_size=3)
conversations = st.lists(st.builds(Utterance, st.sampled_from(["user", "assistant"]), words), max_size=3).map(tuple)
preferences = st.lists(
    st.builds(Preference, words, words, st.just(("a/b",)), examples=st.lists(words, max_size=2).map(tuple)), max_size=3
).map(tuple)


@given(conversations, preferences, conversations, preferences)
def test_only_what_reads_alike_shares_scores(
    said: tuple[Utterance, ...],
    preferred: tuple[Preference, ...],
    other: tuple[Utterance, ...],
    others: tuple[Preference, ...],
) -> None:
    remembered = RememberedScores()
    alike = said == other and preferred == others
    assert (remembered.key(said, preferred) == remembered.key(other, others)) == alike


def test_nothing_of_a_text_is_kept() -> None:
    remembered = RememberedScores()
    key = remembered.key((Utterance("user", SECRET),), (WRITE,))
    remembered.keep(key, [0.5])
    held = pickle.dumps(vars(remembered))
    assert not any(word.encode() in held for word in SECRET.split() if len(word) > 3)
    assert RememberedScores().key((Utterance("user", SECRET),), (WRITE,)) != key


def test_a_half_of_an_emoji_has_scores_like_any_text() -> None:
    remembered = RememberedScores()
    key = remembered.key((Utterance("user", "\ud83d"),), (WRITE,))
    remembered.keep(key, [0.25])
    assert remembered.find(key) == (0.25,)


@pytest.mark.parametrize("used", [True, False])
def test_what_was_used_last_stays(used: bool) -> None:  # noqa: FBT001 - parametrized
    remembered = RememberedScores(2)
    remembered.keep(b"first", [1.0])
    remembered.keep(b"second", [2.0])
    if used:
        remembered.find(b"first")
    remembered.keep(b"third", [3.0])
    assert len(remembered) == 2
    assert (remembered.find(b"first") is not None) is used
