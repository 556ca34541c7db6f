"""Fixtures of the fitting's tests: a request on its way to a target, as the router sends it."""

import json
from typing import Any

from plano_agents.config.model import Config, Model
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.translation import translate_request
from plano_agents.providers.cache_keys import UNAIDED, Caching
from plano_agents.providers.fit import Fitted, build_fittings
from plano_agents.router.request.candidates import Served

CHAT, MESSAGES, RESPONSES = Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES


def build_model(name: str, base_url: str | None = None, interface: str | None = None) -> Model:
    provider, _, model_id = name.partition("/")
    url = base_url or ("http://127.0.0.1:9" if provider in {"ollama", "qwen", "vllm"} else None)
    return Model(name, provider, model_id, interface or provider, base_url=url)


def fit(surface: Form, name: str, body: dict[str, Any], **model: str) -> Fitted:
    """Fit a request that a client of a surface sends to a model, passed through or translated."""
    return fit_cached(surface, name, body, UNAIDED, None, **model)


def fit_cached(
    surface: Form, name: str, body: dict[str, Any], caching: Caching, marks_from: int | None, **model: str
) -> Fitted:
    """Fit a request whose caching is helped."""
    declared = build_model(name, **model)
    content = json.dumps(body).encode()
    fields = split_fields(content)
    served = Served(declared, Config(models=(declared,)), None)
    target, profile = served.target, served.profile
    wire, passes = served.sure_wires.get(surface) or served.choose_wire(surface, fields)
    fitting = build_fittings(declared, target.urls, profile, is_own_host=target.is_own_host, marks_from=marks_from)[
        wire
    ]
    if passes:
        return fitting.fit(fields, caching=caching)
    translation = translate_request(
        surface, wire, content, declared.model_id, created=7, limit_field=target.limit_field
    )
    return fitting.fit(split_fields(translation.request_body), is_translated=True, caching=caching)


def sent(surface: Form, name: str, body: dict[str, Any], **model: str) -> dict[str, Any]:
    """Give what goes up."""
    found: dict[str, Any] = json.loads(fit(surface, name, body, **model).body)
    return found
