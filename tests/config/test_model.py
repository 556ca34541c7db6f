"""What a configuration says, once it is read."""

from collections.abc import Callable

from plano_agents.config import Config

Parse = Callable[..., Config]


def test_offline_nothing_is_fetched_from_anywhere(parse: Parse, minimal: str) -> None:
    text = minimal + (
        "model_metrics_sources: [{type: cost, provider: models.dev}]\n"
        "overrides: {upstream_tls_ca_path: /etc/ca.pem}\n"
    )
    config = parse(text, settings_text="proxy_from_environment: true").offline("http://127.0.0.1:9")
    assert config.metrics_sources == ()
    assert config.proxy_from_environment is False
    assert config.overrides.upstream_tls_ca_path is None
    assert {model.base_url for model in config.models} == {"http://127.0.0.1:9"}
