"""Errors of providers that say that the request is too long."""

import json

import pytest

from plano_agents.protocol.overflow import says_too_long

# Bodies as the vendors send them.
TOO_LONG = {
    "OpenAI": {
        "error": {
            "message": "Input tokens exceed the configured limit of 272000 tokens.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    },
    "OpenAI, the code alone": {"error": {"message": "", "code": "context_length_exceeded"}},
    "OpenAI responses": {"error": {"message": "Your input exceeds the context window of this model."}},
    "Anthropic": {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "prompt is too long: 208310 tokens > 200000 maximum",
        },
    },
    "Anthropic, with the answer": {
        "type": "error",
        "error": {"message": "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000"},
    },
    "Gemini": [
        {
            "error": {
                "code": 400,
                "message": "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
                "status": "INVALID_ARGUMENT",
            }
        }
    ],
    "vLLM, older": {
        "object": "error",
        "message": "This model's maximum context length is 8192 tokens. However, you requested 8203 tokens",
        "type": "BadRequestError",
        "code": 400,
    },
    "Mistral": {
        "object": "error",
        "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "code": "3051",
    },
    "xAI": {
        "code": "invalid-argument",
        "error": "This model's maximum prompt length is 500000 but the request contains 637815 tokens.",
    },
    "llama.cpp": {
        "error": {
            "code": 400,
            "message": "request (13392 tokens) exceeds the available context size (8192 tokens)",
            "type": "exceed_context_size_error",
        }
    },
    "Moonshot": {"error": {"message": "Your request exceeded model token limit: 262144 (requested: 291351)"}},
    "Qwen": {"error": {"message": "Range of input length should be [1, 129024]"}},
    "Zhipu": {"error": {"code": "1261", "message": "Prompt exceeds max length"}},
}

OTHER = {
    "another fault": {"error": {"message": "Invalid value: 'x'", "code": "invalid_value", "param": "n"}},
    "an echo of the request": {
        "error": {"message": "Invalid value"},
        "input": "my prompt is too long",
        "detail": [{"msg": "no", "input": "context_length_exceeded"}],
    },
    "a rate": {"error": {"message": "Too many tokens per minute", "code": "rate_limit_exceeded"}},
    "no object": "prompt is too long",
    "strange fields": {"error": {"message": ["prompt is too long"], "code": {}}},
    "nothing": {},
}


@pytest.mark.parametrize("vendor", TOO_LONG)
@pytest.mark.parametrize("status", [400, 422])
def test_a_vendors_own_words_are_understood(vendor: str, status: int) -> None:
    assert says_too_long(status, json.dumps(TOO_LONG[vendor]).encode())


@pytest.mark.parametrize("case", OTHER)
def test_any_other_error_says_nothing_of_length(case: str) -> None:
    assert not says_too_long(400, json.dumps(OTHER[case]).encode())


@pytest.mark.parametrize("body", [b"", b"<html>prompt is too long</html>", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_error_says_nothing(body: bytes) -> None:
    assert not says_too_long(400, body)


def test_the_status_413_says_it_by_itself() -> None:
    assert says_too_long(413, b"<html>")


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500])
def test_words_of_another_status_do_not_count(status: int) -> None:
    assert not says_too_long(status, json.dumps(TOO_LONG["OpenAI"]).encode())
