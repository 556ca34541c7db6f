"""The wire formats, as rows: how each reads a request, refuses it, and writes the answer."""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from plano_agents.secret_str import SecretStr
from plano_agents.simulator.wire.anthropic import refusals as anthropic_refusals
from plano_agents.simulator.wire.anthropic.answer import (
    encode_anthropic_answer,
    encode_anthropic_events,
    encode_anthropic_models,
)
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.events import Event
from plano_agents.simulator.wire.exchange import Answer, Refusal, Request
from plano_agents.simulator.wire.openai import refusals as openai_refusals
from plano_agents.simulator.wire.openai.answer import (
    encode_openai_answer,
    encode_openai_events,
    encode_openai_models,
)
from plano_agents.simulator.wire.openai.request import parse_openai_request
from plano_agents.simulator.wire.responses.answer import encode_responses_answer, encode_responses_events
from plano_agents.simulator.wire.responses.request import parse_responses_request


@dataclass(frozen=True, slots=True)
class Wire:
    """A provider's wire format."""

    name: str
    """``openai`` (chat completions), ``responses`` or ``anthropic``."""
    path: str
    """What its paths end in."""
    request_id_header: str
    """Where it says the answer's id."""
    required_header: str | None
    """A header without which nothing is answered."""
    parse_request: Callable[[bytes], Request]
    """Reads a body; raises `Refusal`."""
    encode_answer: Callable[[Answer], bytes]
    """Writes a plain answer."""
    encode_events: Callable[[Answer, bool], Iterator[Event]]
    """Writes a stream; the flag asks for the usage."""
    encode_models: Callable[[Sequence[str]], bytes]
    """Writes the list of models."""
    encode_refusal: Callable[[Refusal, str], bytes]
    """Writes an error, given the answer's id."""
    refuse: Callable[[str], Refusal]
    """Builds the refusal of a bad request."""
    refuse_model: Callable[[str], Refusal]
    """Builds the refusal of an unknown model."""
    refuse_key: Callable[[bool], Refusal]
    """Builds the refusal of a missing key, or of a wrong one if the flag is set."""
    build_fault: Callable[[int], Refusal]
    """Builds the error that goes with a status."""

    def check_headers(self, headers: Mapping[str, str], key: SecretStr | None) -> None:
        """Refuse a request for its headers.

        Args:
            headers: The request's, by lower-case name.
            key: The key that is asked for, if any.

        Raises:
            Refusal: The key is missing or wrong, or the required header is missing.
        """
        if key is not None:
            given = headers.get("x-api-key") or headers.get("authorization", "").partition(" ")[2]
            if not hmac.compare_digest(given.encode(), key.get_secret_value().encode()):
                raise self.refuse_key(bool(given))
        if self.required_header is not None and self.required_header not in headers:
            raise self.refuse(f"{self.required_header}: header is required")


OPENAI = Wire(
    name="openai",
    path="/chat/completions",
    request_id_header="x-request-id",
    required_header=None,
    parse_request=parse_openai_request,
    encode_answer=encode_openai_answer,
    encode_events=lambda answer, usage: encode_openai_events(answer, include_usage=usage),
    encode_models=encode_openai_models,
    encode_refusal=lambda refusal, _: openai_refusals.encode_openai_refusal(refusal),
    refuse=openai_refusals.refuse,
    refuse_model=openai_refusals.refuse_model,
    refuse_key=lambda given: openai_refusals.refuse_key(given=given),
    build_fault=openai_refusals.build_openai_fault,
)
RESPONSES = replace(
    OPENAI,
    name="responses",
    path="/responses",
    parse_request=parse_responses_request,
    encode_answer=encode_responses_answer,
    encode_events=lambda answer, _: encode_responses_events(answer),
)
ANTHROPIC = Wire(
    name="anthropic",
    path="/messages",
    request_id_header="request-id",
    required_header="anthropic-version",
    parse_request=parse_anthropic_request,
    encode_answer=encode_anthropic_answer,
    encode_events=lambda answer, _: encode_anthropic_events(answer),
    encode_models=encode_anthropic_models,
    encode_refusal=anthropic_refusals.encode_anthropic_refusal,
    refuse=anthropic_refusals.refuse,
    refuse_model=anthropic_refusals.refuse_model,
    refuse_key=lambda given: anthropic_refusals.refuse_key(given=given),
    build_fault=anthropic_refusals.build_anthropic_fault,
)
