import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.provider_error import is_too_long, read_any_error, read_provider_error

FAULT = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}
ERRORS = {
    "OpenAI": ({"error": {"message": "Slow down", "type": "tokens", "code": "x"}}, "Slow down"),
    "OpenRouter": ({"error": {"message": "Slow down", "code": 429}}, "Slow down"),
    "Anthropic": ({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}, "Busy"),
    "Gemini": ([{"error": {"code": 400, "message": "Bad key", "status": "INVALID_ARGUMENT"}}], "Bad key"),
    "Mistral": (
        {"object": "error", "message": "No model", "type": "invalid_model", "code": "1500"},
        "No model",
    ),
    "Mistral, a field": (
        {"object": "error", "message": {"detail": [FAULT]}, "type": "invalid_request_error"},
        "body.seed: Extra inputs are not permitted",
    ),
    "vLLM": (
        {"object": "error", "message": "No template", "type": "BadRequestError", "code": 400},
        "No template",
    ),
    "FastAPI": ({"detail": "Not Found"}, "Not Found"),
    "FastAPI, a field": ({"detail": [FAULT]}, "body.seed: Extra inputs are not permitted"),
    "xAI": ({"error": "No such model", "code": "not-found"}, "No such model"),
    "responses": ({"type": "error", "code": "insufficient_quota", "message": "Pay"}, "Pay"),
    "a gateway": ({"message": "no Route matched"}, "no Route matched"),
    "FastAPI, an object": ({"detail": {"error": {"message": "No worker"}}}, "No worker"),
    "AWS": ({"Message": "Too long"}, "Too long"),
    "OAuth": ({"error": "invalid_grant", "error_description": "Expired"}, "Expired"),
    "Cloudflare": ({"success": False, "errors": [{"code": 7, "message": "No model"}]}, "No model"),
    "MiniMax": ({"base_resp": {"status_code": 1004, "status_msg": "Bad key"}}, "Bad key"),
    "RFC 9457": ({"title": "Bad Request", "detail": "No model", "status": 400}, "No model"),
    "texts": ({"error": ["No model", "No key"]}, "No model; No key"),
    "OpenRouter, its provider's": (
        {
            "error": {
                "message": "Provider returned error",
                "metadata": {"raw": '{"error": {"message": "Busy"}}'},
            }
        },
        "Provider returned error: Busy",
    ),
}


@pytest.mark.parametrize("form", ERRORS)
def test_an_error_keeps_its_words_in_every_form(form: str) -> None:
    body, words = ERRORS[form]
    error = read_provider_error(json.dumps(body).encode())
    assert error is not None
    assert error.message == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"upstream connect error", ": upstream connect error"),
        (b"<html><style>p {}</style><body><h1>502</h1>\n Bad Gateway</body></html>", ": 502 Bad Gateway"),
        (b"<html>", "."),
        (b"{}", "."),
        (b"\xff", ": \ufffd"),
    ],
)
def test_of_a_page_the_first_words_are_kept(body: bytes, words: str) -> None:
    error = read_any_error(body, 502)
    assert error.message == f"The provider answered 502 without an error in its own form{words}"


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"7", b"{}", b'{"id":"c","choices":[]}'])
def test_what_is_in_no_form_of_an_error_is_none(body: bytes) -> None:
    assert read_provider_error(body) is None


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(
                st.sampled_from(["error", "message", "detail", "type", "object", "code", "msg", "loc"]), each
            )
        ),
    )
)
def test_any_json_is_an_error_or_none(value: object) -> None:
    read_provider_error(msgspec.json.encode(value))


@pytest.mark.parametrize("levels", [16, 300, 600])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"detail":', "}"), ('{"error":', "}")])
def test_a_deep_error_is_one_without_words(begin: str, end: str, levels: int) -> None:
    body = f'{{"error":{begin * levels}"why"{end * levels}}}'.encode()
    read = read_provider_error(body)
    assert read is not None
    assert read.message in {"", "why"}


def test_too_long_a_prompt_is_known_by_its_words_or_its_code() -> None:
    for error in (
        {"message": "maximum context length is 4"},
        {"message": "", "code": "context_length_exceeded"},
    ):
        read = read_provider_error(json.dumps({"error": error}).encode())
        assert read is not None
        assert is_too_long(read)
