from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import Config, Model, Routing
from plano_agents.config.options import PromptCaching, SessionCache
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.cache_keys import KEY_CHARACTERS, build_cache_key, derive_salt, remember_cache_keys
from plano_agents.sessions.pin import SessionKey

GPT = Model("openai/gpt-4o", "openai", "gpt-4o", "openai", access_key=SecretStr("sk-1"))
PLAIN = Config((GPT,))
REDIS = SessionCache(type="redis", url=SecretStr("redis://:secret@store:6379"))
SALTED = PromptCaching(key_salt=SecretStr("salt-canary"))
RUN = SessionKey("", "run-1")


def find(config: Config, key: SessionKey = RUN) -> str:
    found = remember_cache_keys(config)
    assert found is not None
    return found(key)


def test_replicas_and_restarts_make_the_same_key() -> None:
    assert find(PLAIN) == find(Config((GPT,), client_keys=(build_client_key("k"),)))


def test_a_key_is_known() -> None:
    """A change of how keys are made would cool every session's cache at the provider."""
    assert find(replace(PLAIN, prompt_caching=SALTED)) == "625f79335c5996368d5e02eacd2339fa"


def test_tenants_sessions_and_lanes_have_keys_of_their_own() -> None:
    keys = [
        SessionKey("", "run-1"),
        SessionKey("acme", "run-1"),
        SessionKey("acm", "erun-1"),
        SessionKey("", "run-1·agent/a-1"),
        SessionKey("", "codex·run-1·main/gpt-5.5"),
        SessionKey("", "codex·run-1·side/gpt-5.5"),
    ]
    assert all(find(PLAIN, one) != find(PLAIN, other) for one, other in combinations(keys, 2))


@given(st.text(max_size=300), st.text(min_size=1, max_size=300))
def test_a_key_fits_every_provider_and_tells_no_id(tenant: str, affinity_id: str) -> None:
    key = build_cache_key(b"salt", SessionKey(tenant, affinity_id))
    assert len(key) == KEY_CHARACTERS
    assert set(key) <= set("0123456789abcdef")
    assert key != build_cache_key(b"other", SessionKey(tenant, affinity_id))


def test_the_salt_is_the_first_secret_that_replicas_share() -> None:
    keyed = replace(PLAIN, models=(replace(GPT, access_key=SecretStr("sk-2")),))
    shared = replace(keyed, routing=Routing(session_cache=REDIS))
    owned = replace(shared, admin_token=SecretStr("admin"))
    salted = replace(owned, prompt_caching=SALTED)
    salts = [derive_salt(each) for each in (PLAIN, keyed, shared, owned, salted)]
    assert len(set(salts)) == len(salts)
    for config in (shared, owned, salted):  # a provider's key is rotated
        assert derive_salt(config) == derive_salt(replace(config, models=(GPT,)))
    assert derive_salt(replace(salted, admin_token=None)) == derive_salt(salted)


def test_without_any_secret_there_is_a_salt_too() -> None:
    assert find(Config((replace(GPT, access_key=None),)))


def test_keys_can_be_turned_off() -> None:
    assert remember_cache_keys(replace(PLAIN, prompt_caching=PromptCaching(session_keys=False))) is None
