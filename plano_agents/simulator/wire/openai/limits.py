"""The simulator's own limits: what the provider takes and it does not; each refusal says so."""

from collections.abc import Mapping

FIELDS: Mapping[str, str] = {
    "audio": "do not speak",
    "function_call": "take `tools` and `tool_choice`, not the legacy `function_call`",
    "functions": "take `tools`, not the legacy `functions`",
    "logprobs": "do not return logprobs",
    "modalities": "answer in text only",
    "moderation": "do not moderate",
    "n": "give one choice (`n` of 1)",
    "top_logprobs": "do not return logprobs",
    "web_search_options": "do not search the web",
}
"""What is wrong with a field of the body; words to follow ``the simulated models``."""

TYPES: Mapping[str, str] = {
    "allowed_tools": "do not limit a turn to some of the `tools`",
    "custom": "call function tools only, no custom ones",
    "function": "take `tools`, not the legacy `functions`",
    "input_audio": "do not listen",
}
"""What is wrong with a part, tool or choice of that ``type``, or a message of that ``role``."""
