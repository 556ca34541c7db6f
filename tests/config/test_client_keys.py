"""Clients' keys: by name, as hashes, and never shown."""

import pytest

from plano_agents.config import Config, render_config
from plano_agents.config.client_keys import build_client_key
from plano_agents.config.key_hashes import hash_key
from tests.config.conftest import MINIMAL, Parse, Problems

LONG = "pa-a-key-that-is-long-enough"
HASH = hash_key(LONG)


def read(parse: Parse, settings: str, **environ: str) -> Config:
    return parse(MINIMAL, settings_text=settings, environ=environ)


def test_a_key_is_its_hash_or_a_secret_and_both_are_the_same_key(parse: Parse) -> None:
    hashed = read(parse, f"client_keys: {{alice: '{HASH}'}}")
    assert hashed.client_keys == read(parse, "client_keys: {alice: $KEY}", KEY=LONG).client_keys
    assert hashed.client_keys == (build_client_key(LONG, "alice"),)


def test_a_list_has_keys_without_names(parse: Parse) -> None:
    config = read(parse, f"client_keys: [$KEY, {HASH!r}]", KEY="other-key-of-24-characters-x")
    assert [(key.name, key.is_short) for key in config.client_keys] == [("", False), ("", False)]
    assert not config.has_tenants


def test_names_make_tenants(parse: Parse) -> None:
    assert read(parse, f"client_keys: {{alice: '{HASH}'}}").has_tenants


def test_the_effective_configuration_shows_names_alone(parse: Parse) -> None:
    page = render_config(read(parse, f"client_keys: {{alice: '{HASH}', bob: {LONG}-2}}"))
    assert "client_keys:\n- alice: '***'\n- bob: '***'\n" in page
    assert HASH[7:] not in page


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("client_keys: {alice: sha256:00}", "this is not a hash of a key; make one with 'plano-agents hash-key'."),
        ("client_keys: {a b: long-enough}", "the client's name 'a'… is not one. Write 1 to 64 letters, "),
        (
            f"client_keys: {{alice: '{HASH}', bob: {LONG}}}",
            "'alice' and 'bob' have the same key. Give each a key of its own.",
        ),
        ("client_keys: {alice: $KEY}", "$KEY is not set (needed by the client 'alice')."),
        ("client_keys: {}", "client_keys is empty. Give it a value."),
        ("client_keys: []", "client_keys is empty. Give it a value."),
        ("client_keys: {alice: [x-secret]}", "client_keys.alice must be text"),
    ],
)
def test_what_is_not_a_key_is_refused_by_its_line_and_not_repeated(
    problems: Problems, settings: str, told: str
) -> None:
    (said,) = problems(MINIMAL, settings_text=settings)
    assert said.startswith(f"plano-agents.yaml:1: {told}")
    assert "x-secret" not in said
    assert LONG not in said
