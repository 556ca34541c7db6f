"""An OpenAI responses request as a request of the hub. Stateless: nothing of an earlier response is remembered.

Rules that are choices, not renamings:

- ``instructions`` become the first system message; the transcript is read by `responses_items_to_chat`, tools by
  `responses_tools_to_chat`.
- What only OpenAI's service can do beside an answer is left out and reported; what it stores is not read, so a
  request that leads to it is refused.
- A request for a compaction is one for a summary: tools stay, for the provider's cache, but none may be called.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol import openai_responses_request as responses
from plano_agents.protocol.adjustment import ADVISORY, Tell, dropped_within, ignore, rewritten
from plano_agents.protocol.decoding import ABSENT, refuse_unknown
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation.client_calls import KINDS
from plano_agents.protocol.translation.responses_compaction import asks_for_compaction
from plano_agents.protocol.translation.responses_items_to_chat import SETTINGS, read_messages
from plano_agents.protocol.translation.responses_tools_to_chat import read_tool_choice, read_tools
from plano_agents.protocol.unknown_fields import FieldFinder, read_value

NEUTRAL: dict[str, Collection[object]] = {
    "access_programs": (),
    "background": (False,),
    "context_management": ([],),
    "image": (),
    "moderation": (),
    "prompt": (),
    "store": (False,),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
"""Fields that need OpenAI's own service, with the values (besides null) that ask for nothing."""

KNOWN = (frozenset(responses.ClientRequest.__struct_fields__) - {"metadata"}) | {"routing_preferences"}
"""Fields that are carried, and the router's."""

DROPPABLE = ADVISORY | {"context_management", "truncation"}
"""Fields about OpenAI's own tools, storage, billing and long prompts: they are left out and reported."""

STORED = ("previous_response_id", "conversation")
"""Fields that lead to what OpenAI stores."""

CARRIED_ITEMS = frozenset({None, "message", "reasoning", *SETTINGS, *KINDS, *(f"{kind}_output" for kind in KINDS)})
"""The types of the items that are carried."""

CARRIED_TOOLS = frozenset({"function", "custom", "local_shell", "namespace", "tool_search"})
"""The types of the tools that may be."""

_FINDER = FieldFinder(
    responses.ClientRequest,
    ("input", "tools"),
    harmless=frozenset({"annotations", "created_by", "logprobs", "phase", "status"}),
)

INCLUDED = "reasoning.encrypted_content"
"""What ``include`` may ask for and is always included."""

LOGPROBS = "message.output_text.logprobs"
"""What ``include`` may ask for and cannot be given."""


def check_fields(body: bytes, tell: Tell = ignore) -> Mapping[str, msgspec.Raw]:
    """Refuse a request that needs OpenAI's own service; give its top-level fields.

    Args:
        body: The request, JSON.
        tell: Called for what is left out.

    Raises:
        RequestError: The body is not a JSON object.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    fields = refuse_unknown(
        body,
        known=KNOWN | frozenset(STORED),
        neutral=NEUTRAL,
        target="a model behind another API",
        droppable=DROPPABLE,
        tell=tell,
    )
    refuse_stored(fields)
    return fields


def refuse_stored(fields: Mapping[str, msgspec.Raw]) -> None:
    """Refuse a request that leads to what OpenAI stores.

    Args:
        fields: Its top-level fields.

    Raises:
        UnsupportedFieldError: It does; ``param`` names the field.
    """
    for name in STORED:
        if fields.get(name, ABSENT) != ABSENT:
            raise UnsupportedFieldError(
                f"{name!r} leads to what OpenAI stores, and nothing is stored for this model. Send the whole transcript "
                f"in 'input', and leave {name!r} out.",
                param=name,
            )


def read_responses_request(
    request: responses.ClientRequest,
    tools: ClientTools,
    tell: Tell = ignore,
    *,
    fields: Mapping[str, msgspec.Raw] = MappingProxyType({}),
) -> openai.ChatRequest:
    """Read a responses client's request into the hub.

    Args:
        request: The client's request.
        tools: Takes the names of its tools, for the answer.
        tell: Called for what is left out, or said otherwise.
        fields: Its top-level fields, where what is lost within them is reported.

    Raises:
        RequestError: It is not a valid responses request, or there is nothing to answer.
        UnsupportedFieldError: It holds what only OpenAI's service can carry; ``param`` names it.
    """
    _check_included(request.include or (), tell)
    _tell_unknown(fields, tell)
    offered = read_tools(request, tools, tell)
    messages = tuple(read_messages(request, tools, tell))
    if not messages:
        raise RequestError("'input' holds nothing to answer. Give it as a text, or as a list of items.", param="input")
    text, updates = request.text or responses.Text(), _list_updates(request)
    wanted = (update.text.format for update in updates if update.text is not None)
    efforts = (update.reasoning.effort for update in updates if update.reasoning is not None)
    compacts = asks_for_compaction(fields)
    if compacts:
        tell(rewritten("input", "compacted by a summary"))
    return openai.ChatRequest(
        messages=messages,
        model=request.model,
        stream=request.stream,
        stream_options=openai.StreamOptions(include_usage=True) if request.stream else None,
        max_completion_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        tools=offered,
        tool_choice="none" if compacts else read_tool_choice(request.tool_choice, tools, tell),
        parallel_tool_calls=request.parallel_tool_calls,
        response_format=None if compacts else _read_format(next(wanted, text.format)),
        verbosity=text.verbosity,
        reasoning_effort=next(filter(None, efforts), request.reasoning.effort if request.reasoning else None),
        user=request.user,
        safety_identifier=request.safety_identifier,
    )


def _list_updates(request: responses.ClientRequest) -> list[responses.Item]:
    """List the transcript's changes of settings, the last first: each holds until the next."""
    items = () if isinstance(request.input, str) else request.input
    return [item for item in reversed(items) if item.type == "configuration_update"]


def _tell_unknown(fields: Mapping[str, msgspec.Raw], tell: Tell) -> None:
    """Tell what is lost within the items and the tools that are carried; of others, report the kind."""
    for name, kinds in (("input", CARRIED_ITEMS), ("tools", CARRIED_TOOLS)):
        value = read_value(fields.get(name))
        pieces = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
        _FINDER.tell_of(name, [each for each in pieces if each.get("type") in kinds], tell)


def _check_included(wanted: tuple[str, ...], tell: Tell) -> None:
    if LOGPROBS in wanted:
        raise UnsupportedFieldError(f"'include' asks for {LOGPROBS!r}, which cannot be given.", param="include")
    for name in wanted:
        if name != INCLUDED:
            tell(dropped_within("include", name))


def _read_format(wanted: responses.Format | None) -> openai.ResponseFormat | None:
    if wanted is None:
        return None
    if wanted.type != "json_schema":
        return openai.ResponseFormat(wanted.type)
    schema = openai.JsonSchema(
        name=wanted.name, description=wanted.description, schema=wanted.schema, strict=wanted.strict
    )
    return openai.ResponseFormat("json_schema", schema)
