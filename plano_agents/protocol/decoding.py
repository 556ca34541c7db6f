"""From JSON to frozen types, with every failure told as its sender's and by the field at fault.

A client's fault is a `RequestError`; where the request may be right and only cannot be carried to another wire (a
field or a ``type`` that the translation does not know), it is an `UnsupportedFieldError`. An upstream's fault is an
`UpstreamProtocolError`.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError, UpstreamProtocolError
from plano_agents.protocol.adjustment import Tell, dropped, ignore
from plano_agents.protocol.lenience import Mend, leave_out_nulls, mend_json

T = TypeVar("T")

ABSENT = msgspec.Raw(b"null")
"""What an untouched value is where there is none."""

BAD_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that `msgspec` raises over bytes that are not what they should be."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNKNOWN_FIELD = "Object contains unknown field "


def decode_request(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Decode what a client sent.

    Raises:
        RequestError: It is not JSON, or a field has the wrong type; ``param`` names it.
        UnsupportedFieldError: It holds a field or a ``type`` that is not known.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _name_field(str(error)) from error
    except BAD_JSON as error:
        raise RequestError(f"The body is not valid JSON: {error}. Send one JSON object.") from error


def decode_upstream(decoder: "msgspec.json.Decoder[T]", body: bytes, what: str, mend: Mend = leave_out_nulls) -> T:
    """Decode what an upstream sent.

    Args:
        decoder: Of the type expected.
        body: The JSON.
        what: The expected thing's name, for the message: ``message``.
        mend: Puts right what does not decode as it is.

    Raises:
        UpstreamProtocolError: It is not that.
    """
    try:
        return decoder.decode(body.decode())  # untouched values are not checked for UTF-8 by the decoder
    except msgspec.ValidationError as error:
        try:
            return decoder.decode(mend_json(body, mend))
        except BAD_JSON:
            raise _blame_upstream(what, error) from error
    except BAD_JSON as error:
        raise _blame_upstream(what, error) from error


def split_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Split a request into its top-level fields, each value's bytes untouched.

    Raises:
        RequestError: The body is not a JSON object.
    """
    return decode_request(_FIELDS, body)


def address(fields: Mapping[str, msgspec.Raw], model_id: str, key: "tuple[str, object] | None" = None) -> bytes:
    """Address a request to an upstream: its own model id, without the fields that are the router's.

    Args:
        fields: The request's top-level fields.
        model_id: What the upstream calls the model.
        key: A field and its value, set where the request has none.

    Returns:
        The request with ``model`` set and ``routing_preferences`` left out; every other value's bytes untouched.
    """
    kept: dict[str, Any] = dict(fields)
    kept.pop("routing_preferences", None)
    kept["model"] = model_id
    if key is not None and kept.get(key[0], ABSENT) == ABSENT:
        kept[key[0]] = key[1]
    return msgspec.json.encode(kept)


def refuse_unknown(
    body: bytes,
    *,
    known: Collection[str],
    neutral: Mapping[str, Collection[object]],
    target: str,
    droppable: Collection[str] = (),
    tell: Tell = ignore,
) -> dict[str, msgspec.Raw]:
    """Refuse every top-level field that a translation would lose, but for those that may be left out.

    Args:
        body: The request.
        known: Fields that are carried, or whose loss changes no answer.
        neutral: Further fields, with the values (besides null) that ask for nothing.
        target: Whom the request is translated for, for the message: ``an Anthropic model``.
        droppable: Fields that may be left out and reported.
        tell: Called for each of them.

    Returns:
        The request's top-level fields.

    Raises:
        RequestError: The body is not a JSON object in UTF-8, or a field's value is beyond all numbers or depths.
        UnsupportedFieldError: A field cannot be carried; ``param`` names it.
    """
    try:
        body.decode()  # untouched values are not checked for it by the decoder
    except UnicodeDecodeError as error:
        raise RequestError(f"The body is not UTF-8: {error.reason} at byte {error.start}.") from error
    fields = split_fields(body)
    for name, raw in fields.items():
        if name in known:
            continue
        value = _decode_field(name, raw)
        if value is None or value in neutral.get(name, ()):
            continue
        if name not in droppable:
            raise UnsupportedFieldError(
                f"{name!r} cannot be carried to {target}. Leave it out, or route this request to a model of "
                "this API's own provider.",
                param=name,
            )
        tell(dropped(name))
    return fields


def _blame_upstream(what: str, error: Exception) -> UpstreamProtocolError:
    return UpstreamProtocolError(f"The provider sent what is not a {what}: {error}.")


def _decode_field(name: str, raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except BAD_JSON as error:
        raise RequestError(f"{name!r} cannot be read: {error}. Leave it out.", param=name) from error


def _name_field(message: str) -> RequestError:
    """Tell a validation error by the path of the field at fault, ``messages[2].content``."""
    what, _, where = message.partition(" - at `$")
    path = where.strip("`").lstrip(".")
    if what.startswith(_UNKNOWN_FIELD):
        field = what.removeprefix(_UNKNOWN_FIELD).strip("`")
        path = f"{path}.{field}" if path else field
        return UnsupportedFieldError(
            f"{path!r} is not supported by the model that serves this request. Leave it out.", param=path
        )
    if path.endswith(".type") and what.startswith("Invalid"):
        kind = what.rpartition("value ")[2]
        return UnsupportedFieldError(
            f"{path!r} is {kind}, which is not supported by the model that serves this request.", param=path
        )
    place = f" in {path!r}" if path else ""
    return RequestError(f"Invalid request{place}: {what}.", param=path or None)
