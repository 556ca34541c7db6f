"""Secrets: compared and counted as text, and shown nowhere."""

import copy
import pickle

import pytest

from plano_agents.secret_str import SecretStr


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{0!r}".format, "%s".__mod__])
def test_a_secret_is_shown_nowhere(show: type[str]) -> None:
    assert "sk-1" not in show(SecretStr("sk-1"))


def test_an_empty_secret_is_seen_to_be_empty() -> None:
    assert (str(SecretStr("")), bool(SecretStr(""))) == ("", False)


def test_secrets_of_one_text_are_equal() -> None:
    assert SecretStr("sk-1") == SecretStr("sk-1") != SecretStr("sk-2")
    assert len({SecretStr("sk-1"), SecretStr("sk-1")}) == 1
    assert SecretStr("sk-1") != "sk-1"


def test_a_copy_holds_the_secret() -> None:
    secret = SecretStr("sk-1")
    assert copy.deepcopy(secret) == pickle.loads(pickle.dumps(secret)) == secret
