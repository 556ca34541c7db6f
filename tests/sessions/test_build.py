"""The store that a configuration asks for."""

import sys

import pytest

from plano_agents.config.model import Routing
from plano_agents.config.options import SessionCache
from plano_agents.errors import ConfigError
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.build import build_store, name_store
from plano_agents.sessions.memory import MemorySessionStore


def ask_for(url: str) -> Routing:
    return Routing(session_cache=SessionCache("redis", SecretStr(url)))


def test_memory_is_the_default() -> None:
    assert isinstance(build_store(Routing()), MemorySessionStore)


async def test_redis_is_connected_to_when_it_is_first_used() -> None:
    store = build_store(ask_for("rediss://user:secret@nowhere.invalid/2"))
    assert store.is_shared
    await store.aclose()


@pytest.mark.parametrize("url", ["redis://localhost/first", "redis://localhost?no_such_option=1"])
def test_a_url_that_redis_py_does_not_take_is_an_error_that_says_so(url: str) -> None:
    with pytest.raises(ConfigError, match=r"session_cache\.url"):
        build_store(ask_for(url))


@pytest.mark.parametrize("package", ["redis", "hiredis"])
def test_without_a_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in (
        "outage",
        "redis",
        "redis_encoding",
        "redis_connection",
        "redis_link",
        "redis_commands",
        "redis_cluster",
        "shared",
        "renewer",
        "store_times",
    ):
        monkeypatch.delitem(sys.modules, f"plano_agents.sessions.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"'{package}'.* --extra redis"):
        build_store(ask_for("redis://localhost"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://localhost", "redis://localhost:6379"),
        ("rediss://user:secret@example.org:7000/3?ssl_ca_certs=/x", "rediss://example.org:7000"),
        ("redis://:secret@[::1]:7000", "redis://[::1]:7000"),
    ],
)
def test_a_store_is_named_without_its_secrets(url: str, name: str) -> None:
    assert name_store(url) == name
