"""``plano-agents.yaml``."""

import pytest

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.config import settings as module
from plano_agents.config.settings import Settings, parse_settings
from plano_agents.errors import ConfigError


def fail(text: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, source="s.yaml", environ=environ)
    return caught.value.problems


def test_an_empty_file_says_nothing() -> None:
    assert parse_settings("", source="s.yaml", environ={}) == Settings()


def test_every_key_is_read() -> None:
    settings = parse_settings(
        "routing: {affinity_headers: [X-Session-Id, x-run]}\nlimits: {max_body_bytes: 1}\n"
        "client_keys: [$A, literal]\nadmin_token: ${B}\n",
        source="s.yaml",
        environ={"A": "a", "B": "b"},
    )
    assert settings.affinity_headers == ("x-session-id", "x-run")
    assert settings.limits.max_body_bytes == 1
    assert [key.get_secret_value() for key in settings.client_keys] == ["a", "literal"]
    assert settings.admin_token is not None
    assert settings.admin_token.get_secret_value() == "b"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("'x y'", "'x'… is not a header name"),
        ("''", "'' is not a header name"),
        ("Authorization", "'Authorization' does not tell one run from another"),
        ("content-type", "'content-type' does not tell one run from another"),
        ("X-Model-Affinity", "'X-Model-Affinity' is always read, and first"),
        ("X-OK", "'X-OK' stands twice"),
    ],
)
def test_a_header_that_cannot_hold_an_id_is_refused(name: str, words: str) -> None:
    (problem,) = fail(f"routing:\n  affinity_headers:\n    - x-ok\n    - {name}\n")
    assert problem.startswith(f"s.yaml:4: the affinity header {words}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("limit: {}", "unknown key 'limit' at the top level; did you mean 'limits'?"),
        ("limits: {max_body: 1}", "unknown key 'max_body' in limits; did you mean 'max_body_bytes'?"),
        ("limits: {max_body_bytes: 0}", "limits.max_body_bytes must be at least 1, not 0"),
        ("client_keys: []", "client_keys is empty. Give it a value."),
        (
            "admin_token: $T",
            "$T is not set (needed by admin_token). Export it, or remove the line that names it.",
        ),
    ],
)
def test_a_wrong_key_or_value_is_told(text: str, problem: str) -> None:
    assert fail(text) == (f"s.yaml:1: {problem}",)


@pytest.mark.parametrize("value", ["two words", "ümlaut", ""])
def test_a_key_of_other_than_visible_ascii_is_refused_and_not_shown(value: str) -> None:
    (problem,) = fail(f"client_keys: ['{value}']")
    assert "Give it as visible ASCII" in problem
    assert not value or value not in problem


def test_the_header_that_is_always_read_is_the_affinity_modules() -> None:
    """The layers keep `config` from importing it."""
    assert AFFINITY_HEADER.lower() == module.AFFINITY_HEADER
