"""The models' health: whose it is, and how long it is kept."""

from dataclasses import replace

from plano_agents.config.model import Breaker, Config, Deployment, Retries
from plano_agents.router.request.health import MAX_UNDECLARED, Health
from plano_agents.secret_str import SecretStr
from tests.router.conftest import CLAUDE, GPT, Clock, build_config, build_model
from tests.router.request.test_breaker import fail

ONE = Breaker(failures=1)


def down(config: Config, *names: str) -> Health:
    """The health of models whose breakers are open."""
    health = Health(config, clock=Clock())
    for name in names:
        fail(health.of(name).breaker)
    return health


def test_a_model_that_stays_as_it_was_keeps_its_breaker_and_its_budget() -> None:
    config = build_config(GPT, breaker=ONE)
    health = down(config, GPT)
    before = health.of(GPT)
    health.configure(build_config(GPT, CLAUDE, breaker=ONE))
    assert health.of(GPT) is before


def test_a_model_whose_address_has_changed_starts_anew() -> None:
    health = down(build_config(GPT, breaker=ONE), GPT)
    health.configure(build_config(GPT, base_url="http://elsewhere", breaker=ONE))
    assert not health.is_down(GPT)


def test_new_settings_of_breakers_and_retries_start_anew() -> None:
    config = build_config(GPT, breaker=ONE)
    for changed in (
        replace(config, breaker=Breaker(failures=2)),
        replace(config, retries=Retries(budget_min=9)),
    ):
        health = down(config, GPT)
        health.configure(changed)
        assert not health.is_down(GPT)


def test_a_model_that_is_configured_no_more_is_forgotten() -> None:
    health = down(build_config(GPT, CLAUDE, breaker=ONE), GPT, CLAUDE)
    health.configure(build_config(GPT, breaker=ONE))
    assert list(health.list_breakers()) == [GPT]


def deployed(name: str, *places: Deployment) -> Config:
    return Config(models=(replace(build_model(name), deployments=places),), breaker=ONE)


def test_each_deployment_keeps_its_health_while_it_stays_as_it_was() -> None:
    eu, us = Deployment("eu", "http://eu"), Deployment("us", "http://us")
    health = down(deployed(GPT, eu, us), f"{GPT} (eu)", f"{GPT} (us)")
    assert health.is_down(GPT)
    health.configure(deployed(GPT, replace(eu, weight=5), replace(us, access_key=SecretStr("new"))))
    assert (health.is_down(f"{GPT} (eu)"), health.is_down(f"{GPT} (us)")) == (True, False)
    assert not health.is_down(GPT)


def test_the_deployments_of_a_wildcards_models_have_a_breaker_each() -> None:
    health = down(deployed("groq/*", Deployment("eu"), Deployment("us")), "groq/llama (eu)")
    assert (health.is_down("groq/llama (eu)"), health.is_down("groq/qwen (eu)")) == (True, False)
    fail(health.of("groq/llama (us)").breaker)
    assert (health.is_down("groq/llama"), health.is_down("groq/qwen")) == (True, False)


def test_a_wildcards_models_have_a_breaker_each() -> None:
    health = down(build_config("groq/*", breaker=ONE), "groq/llama")
    assert (health.is_down("groq/llama"), health.is_down("groq/qwen")) == (True, False)


def test_a_wildcards_models_keep_their_breakers_over_a_new_configuration() -> None:
    health = down(build_config("groq/*", breaker=ONE), "groq/llama")
    health.configure(build_config("groq/*", GPT, breaker=ONE))
    assert health.is_down("groq/llama")


def test_endless_names_of_a_wildcard_push_out_only_those_with_nothing_to_tell() -> None:
    health = down(build_config("groq/*", GPT, breaker=ONE), GPT, "groq/broken")
    for number in range(2 * MAX_UNDECLARED):
        health.of(f"groq/{number}")
    assert len(health.list_breakers()) == MAX_UNDECLARED + 1
    assert health.is_down("groq/broken")


def test_endless_models_that_fail_push_out_the_one_used_longest_ago() -> None:
    health = Health(build_config("groq/*", breaker=ONE), clock=Clock())
    for number in range(MAX_UNDECLARED + 1):
        fail(health.of(f"groq/{number}").breaker)
    assert (health.is_down("groq/0"), health.is_down("groq/1")) == (False, True)
    assert len(health.list_breakers()) == MAX_UNDECLARED
