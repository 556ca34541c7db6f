"""The models that may serve a request, and the request as each of them takes it.

A candidate is opened when its turn has come: the client's request is translated to its wire where it speaks another,
and fitted to what the model takes. What that needs for the way back is kept with it: `Opened` is carried to the answer.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import msgspec
from msgspec import Struct

from plano_agents.config.model import Config, Deployment, Model, Timeouts, name_upstream
from plano_agents.http.client import UpstreamRequest
from plano_agents.protocol import openai_responses
from plano_agents.protocol.adjustment import rewritten
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.translation.responses_compaction import asks_for_compaction, encode_compacted
from plano_agents.protocol.translation.translation import Translation, build_mirror, translate_request
from plano_agents.providers.apis import needs_responses
from plano_agents.providers.betas import BETA_HEADER, find_lacking, list_left_out
from plano_agents.providers.cache_keys import UNAIDED, Caching
from plano_agents.providers.fit import Fitted, build_fittings, refuse_altered
from plano_agents.providers.profiles import find_profile
from plano_agents.providers.target import build_request_headers, build_target
from plano_agents.sessions.cache_keys import FindCacheKey
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Turn

CACHE_HEADER = "x-plano-cache"
"""Plano's header: at ``off`` nothing is done for the request's caching, and it is of no implicit session."""

_UNCHANGED = Fitted(b"")

_MOVED = rewritten("tools", "sent on the responses API")
"""Told of a request on chat completions that the model's provider takes on responses alone."""


class Draft(Struct, frozen=True):
    """A client's request as it was read: what every candidate's is written from."""

    form: Form
    """The wire that the client speaks."""
    body: RequestBody
    """Its body."""
    headers: Mapping[str, str]
    """Its headers, names in lower case."""
    created: int
    """When it came; Unix time in seconds."""


class Opened(Struct, frozen=True):
    """A request as one candidate takes it, and how its answer is made the client's."""

    request: UpstreamRequest
    """What is sent."""
    form: Form | None
    """The answer's wire; None where it is not a model's answer, such as a token count, and is not read."""
    draft: Draft
    """What it was written from."""
    streams: bool = False
    """True if a stream is asked for."""
    by_client_key: bool = False
    """True if the client's own key goes along."""
    fitted: Fitted = _UNCHANGED
    """What was changed so that the model takes it."""
    translation: Translation | None = None
    """How the answer is translated back; None where the client speaks the same wire."""
    compacted: msgspec.Raw | None = None
    """The transcript that the answer's summary is to stand for in a whole compaction; None elsewhere."""

    def finish(self, body: bytes, *, is_events: bool) -> bytes:
        """Make what the client asked for, JSON or a stream, of a whole answer.

        Args:
            body: The answer.
            is_events: Whether it is all events of a stream.

        Raises:
            UpstreamProtocolError: It is not an answer in its form.
        """
        if self.translation is not None:
            converted = self.translation.convert(body, streams=self.streams)
            return converted if self.compacted is None else encode_compacted(converted, self.compacted)
        if is_events is self.streams or self.form is None:
            return body
        if self.form is Form.OPENAI_RESPONSES:
            return openai_responses.write_events(body) if self.streams else openai_responses.join_events(body)
        mirror = build_mirror(self.form, self.draft.body.content, created=self.draft.created)
        return mirror.convert(body, streams=self.streams)


class Place(Protocol):
    """A place that serves a model."""

    @property
    def upstream(self) -> str:
        """The place's name, as `name_upstream` gives it."""

    @property
    def deployment(self) -> str | None:
        """The deployment's name; None for a model without deployments."""


class Candidate(Protocol):
    """A model that may serve a request, at one of the places that serve it."""

    @property
    def model(self) -> str:
        """Provider-qualified."""

    @property
    def served(self) -> Place:
        """The place that serves it."""

    def open(self) -> Opened:
        """Write the request for it.

        Raises:
            RequestError: It cannot be carried there, or may not be adapted.
        """


def is_cache_off(headers: Mapping[str, str]) -> bool:
    """Check whether a client wants nothing done for its request's caching; see `CACHE_HEADER`."""
    return headers.get(CACHE_HEADER, "").strip().lower() == "off"


class Served:
    """A model's target, or that of one of its deployments, and the fitting of requests to it.

    Args:
        model: The model.
        config: What is configured.
        find_cache_key: Finds a session's key at providers; None where none is sent.
        deployment: Which of the model's deployments; None for a model that has none.

    Raises:
        ConfigError: It cannot be served.
    """

    __slots__ = (
        "by_client_key",
        "caches",
        "deployment",
        "find_cache_key",
        "fittings",
        "model_id",
        "profile",
        "sets_marks",
        "sure_wires",
        "target",
        "timeouts",
        "unsupported_params",
        "upstream",
        "weight",
    )

    def __init__(
        self,
        model: Model,
        config: Config,
        find_cache_key: FindCacheKey | None,
        deployment: Deployment | None = None,
    ) -> None:
        caching = config.prompt_caching
        self.sets_marks = caching.enabled and caching.inject_cache_control
        self.deployment = deployment.name if deployment is not None else None
        self.upstream = name_upstream(model.name, self.deployment)
        self.weight = deployment.weight if deployment is not None else 1
        if deployment is not None:
            model = model.deploy(deployment)
        self.model_id = model.model_id
        self.profile = find_profile(model, config.profiles)
        target = build_target(model, self.profile.apis, self.profile.cache_key)
        lacking = find_lacking(self.profile) if BETA_HEADER in target.forwarded else ()
        self.target = replace(target, lacking_betas=lacking) if lacking else target
        self.fittings = build_fittings(
            model,
            self.target.urls,
            self.profile,
            is_own_host=self.target.is_own_host,
            marks_from=caching.min_prefix_tokens if self.sets_marks else None,
        )
        self.sure_wires = self._list_sure_wires()
        """The wire of every request, whatever stands in it, and whether it passes as it is; by the client's wire."""
        self.by_client_key = "authorization" in self.target.forwarded
        self.find_cache_key = find_cache_key if self.target.cache_key is not None else None
        self.caches = self.sets_marks or self.find_cache_key is not None
        self.unsupported_params = config.unsupported_params
        self.timeouts: Timeouts = config.timeouts

    def _list_sure_wires(self) -> Mapping[Form, tuple[Form, bool]]:
        target, unsure = self.target, set()
        if not target.compacts:
            unsure.add(Form.OPENAI_RESPONSES)
        if self.profile.responses_for not in {None, "none"} and Form.OPENAI_RESPONSES in target.urls:
            unsure.add(Form.OPENAI_CHAT)
        chosen = {form: target.choose_wire(form) for form in Form}
        return {form: (wire, wire is form) for form, wire in chosen.items() if wire not in unsure}

    def choose_wire(self, form: Form, fields: Mapping[str, msgspec.Raw]) -> tuple[Form, bool]:
        """Choose the wire of a request by what stands in it, and whether it passes as it is.

        Args:
            form: The wire that the client speaks.
            fields: The request's top-level fields.
        """
        wire = self.target.choose_wire(form)
        if wire is Form.OPENAI_CHAT and needs_responses(self.profile, form, fields):
            return Form.OPENAI_RESPONSES, False
        if wire is Form.OPENAI_RESPONSES is form and asks_for_compaction(fields):
            return self.target.wire, False
        return wire, wire is form

    def plan_caching(self, wire: Form, session: SessionKey | None) -> Caching:
        """Put together the help for a request's cache at the provider.

        Args:
            wire: What is spoken to the provider.
            session: The session's key here; None without a session.
        """
        key = self.find_cache_key(session) if self.find_cache_key is not None and session is not None else None
        return self.target.plan_caching(wire, key, sets_marks=self.sets_marks)


class ModelCandidate:
    """A configured model that may serve a request.

    Args:
        model: Its provider-qualified name.
        served: Where it is served.
        draft: The client's request.
        turn: The session's turn that it is, which notes what is sent; None without a session.
    """

    __slots__ = ("_draft", "_turn", "model", "served")

    def __init__(self, model: str, served: Served, draft: Draft, turn: Turn | None) -> None:
        self.model = model
        self.served = served
        self._draft = draft
        self._turn = turn

    def open(self) -> Opened:
        """See `Candidate.open`."""
        served, draft, body = self.served, self._draft, self._draft.body
        target = served.target
        wire, passes = served.sure_wires.get(draft.form) or served.choose_wire(draft.form, body.fields)
        translation: Translation | None = None
        caching = self._plan_caching(wire) if served.caches else UNAIDED
        if passes:
            fitted = served.fittings[wire].fit(body.fields, caching=caching)
        else:
            translation, fitted = self._translate(wire, caching)
        if fitted.adjustments:
            refuse_altered(fitted.adjustments, served.model_id, served.unsupported_params)
        if self._turn is not None:
            self._turn.note_dispatch(self.model, served.deployment)
        headers = build_request_headers(target, draft.headers)
        if caching.headers:
            headers = {**caching.headers, **headers}
        if target.lacking_betas and (left_out := list_left_out(draft.headers, target.lacking_betas)):
            fitted = msgspec.structs.replace(fitted, adjustments=(*fitted.adjustments, *left_out))
        request = UpstreamRequest(target.urls[wire], headers, fitted.body, served.timeouts)
        return Opened(request, wire, draft, body.streams, served.by_client_key, fitted, translation)

    def _plan_caching(self, wire: Form) -> Caching:
        """Put together the help for the request's cache at the provider, unless the client wants none of it."""
        if is_cache_off(self._draft.headers):
            return UNAIDED
        return self.served.plan_caching(wire, self._turn.key if self._turn is not None else None)

    def _translate(self, wire: Form, caching: Caching) -> tuple[Translation, Fitted]:
        served, draft = self.served, self._draft
        fitting = served.fittings[wire]
        translation = translate_request(
            draft.form,
            wire,
            draft.body.content,
            served.model_id,
            created=draft.created,
            limit_field=served.target.limit_field,
            signature_mark=fitting.signature_mark,
        )
        fields = split_fields(translation.request_body)
        told, key_field = translation.adjustments, caching.field[0] if caching.field is not None else None
        if (
            key_field is not None and key_field in draft.body.fields
        ):  # the client's own, which the translation leaves out
            fields[key_field] = draft.body.fields[key_field]
            told = tuple(each for each in told if each.field != key_field)
        fitted = fitting.fit(fields, is_translated=True, caching=caching)
        moved = (_MOVED,) if draft.form is Form.OPENAI_CHAT and wire is Form.OPENAI_RESPONSES else ()
        return translation, msgspec.structs.replace(fitted, adjustments=(*moved, *told, *fitted.adjustments))
