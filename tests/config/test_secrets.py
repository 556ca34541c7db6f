"""Variables in secrets."""

from collections.abc import Callable

import pytest

from plano_agents.config import Config

Parse = Callable[..., Config]
Problems = Callable[..., tuple[str, ...]]

TWO_KEYS = """\
version: v0.4.0
listeners: []
model_providers:
  - model: openai/gpt-4o-mini
    access_key: $OPENAI_API_KEY
  - model: openai/gpt-4o
    access_key: ${OPENAI_API_KEY}
  - model: anthropic/claude-sonnet-4-6
    access_key: $ANTHROPIC_API_KEY
"""


def read_key(config: Config) -> str | None:
    key = config.models[0].access_key
    return None if key is None else key.get_secret_value()


@pytest.mark.parametrize("spelling", ["$KEY", "${KEY}", "literal"])
def test_a_key_is_a_variable_or_literal(parse: Parse, minimal: str, spelling: str) -> None:
    config = parse(f"{minimal}    access_key: {spelling}\n", environ={"KEY": "literal"})
    assert read_key(config) == "literal"


def test_a_dollar_within_a_literal_key_stays(parse: Parse, minimal: str) -> None:
    assert read_key(parse(f"{minimal}    access_key: sk-a$b\n")) == "sk-a$b"


def test_missing_variables_are_told_together_with_their_users(problems: Problems) -> None:
    assert problems(TWO_KEYS) == (
        (
            "config.yaml:5: $OPENAI_API_KEY is not set (needed by openai/gpt-4o-mini, openai/gpt-4o). "
            "Export it, or run with --offline to use simulated models."
        ),
        (
            "config.yaml:9: $ANTHROPIC_API_KEY is not set (needed by anthropic/claude-sonnet-4-6). "
            "Export it, or run with --offline to use simulated models."
        ),
    )


def test_an_empty_variable_is_missing(problems: Problems) -> None:
    assert len(problems(TWO_KEYS, environ={"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": "x"})) == 1


def test_offline_nothing_needs_to_be_set_and_no_key_is_kept(parse: Parse) -> None:
    config = parse(TWO_KEYS, offline=True, environ={"OPENAI_API_KEY": "x"})
    assert [model.access_key for model in config.models] == [None, None, None]


def test_header_values_are_expanded(parse: Parse, minimal: str) -> None:
    config = parse(f"{minimal}    headers: {{X-Auth: Bearer $T, X-Team: blue}}\n", environ={"T": "t0"})
    assert dict(config.models[0].headers) == {"X-Auth": "Bearer t0", "X-Team": "blue"}


def test_offline_headers_that_name_a_variable_are_left_out(parse: Parse, minimal: str) -> None:
    config = parse(f"{minimal}    headers: {{X-Auth: Bearer $T, X-Team: blue}}\n", offline=True)
    assert dict(config.models[0].headers) == {"X-Team": "blue"}


def test_a_missing_header_variable_names_the_header(problems: Problems, minimal: str) -> None:
    (problem,) = problems(f"{minimal}    headers: {{X-Auth: Bearer $T}}\n")
    assert problem.startswith("config.yaml:5: $T is not set (needed by header X-Auth of 'openai/gpt-4o').")


def test_a_key_with_a_line_end_is_refused_without_being_shown(problems: Problems, minimal: str, secret: str) -> None:
    (problem,) = problems(f"{minimal}    access_key: $KEY\n", environ={"KEY": secret + "\n"})
    assert "from $KEY, cannot go into an HTTP header" in problem
    assert secret not in problem


def test_passthrough_auth_ignores_the_key_with_a_warning(parse: Parse, minimal: str) -> None:
    config = parse(f"{minimal}    access_key: $UNSET\n    passthrough_auth: true\n")
    assert config.models[0].access_key is None
    assert config.warnings[0].startswith("config.yaml:5: access_key of 'openai/gpt-4o' is ignored")


def test_no_secret_is_in_a_configurations_repr(parse: Parse, minimal: str, secret: str) -> None:
    config = parse(
        f"{minimal}    access_key: {secret}\n    headers: {{X-Key: {secret}}}\n",
        settings_text=f"client_keys: [{secret}]\nadmin_token: {secret}\n",
    )
    assert secret not in repr(config)
