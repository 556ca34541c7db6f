import json

import msgspec
import pytest

from plano_agents.sessions.harnesses import HARNESSES, Shown, recognise

SDK = "OpenAI/Python 2.8.0"
USER_ID = "user_0a0a_account_1111-2222_session_6666-7777"
USER_ID_JSON = json.dumps({"device_id": "0a0a", "account_uuid": "", "session_id": "6666-7777"})

GENERIC_HEADERS = (
    "session-id",
    "session_id",
    "thread-id",
    "x-session-id",
    "x-session-affinity",
    "x-affinity",
)
GENERIC_FIELDS = {"prompt_cache_key": "s-1", "metadata": {"user_id": USER_ID}}


def show(body: dict[str, object] | None = None, **headers: str) -> Shown | None:
    fields = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in (body or {}).items()}
    return recognise({name.replace("_", "-"): value for name, value in headers.items()}, fields)


def show_headers(headers: dict[str, str]) -> Shown | None:
    return recognise(headers, {})


@pytest.mark.parametrize("name", GENERIC_HEADERS)
@pytest.mark.parametrize("agent", [SDK, "python-httpx/0.28", "curl/8.5", None])
def test_a_generic_header_of_a_plain_client_shows_no_harness(name: str, agent: str | None) -> None:
    assert show_headers({name: "s-1"} | ({"user-agent": agent} if agent else {})) is None


@pytest.mark.parametrize("name", GENERIC_FIELDS)
@pytest.mark.parametrize("agent", [SDK, "Anthropic/JS 0.70.0"])
def test_a_generic_field_of_a_plain_client_shows_no_harness(name: str, agent: str) -> None:
    assert show({name: GENERIC_FIELDS[name]}, user_agent=agent) is None


def test_claude_code_names_its_session_in_a_header() -> None:
    assert show(x_claude_code_session_id="s-1") == Shown("claude-code", "s-1", None)


def test_claude_code_names_its_sub_agent_beside_the_session() -> None:
    shown = show(x_claude_code_session_id="s-1", x_claude_code_agent_id="a-1")
    assert shown == Shown("claude-code", "s-1", "a-1")


@pytest.mark.parametrize("user_id", [USER_ID, USER_ID_JSON])
def test_claude_code_names_its_session_in_the_body_in_both_forms(user_id: str) -> None:
    shown = show({"metadata": {"user_id": user_id}}, user_agent="claude-cli/2.1.63 (external, cli)")
    assert shown == Shown("claude-code", "6666-7777", None)


@pytest.mark.parametrize(
    "metadata", [None, [], {}, {"user_id": 5}, {"user_id": "{}"}, {"user_id": "{["}, {"user_id": "me"}]
)
def test_a_body_that_names_no_session_shows_none(metadata: object) -> None:
    assert show({"metadata": metadata}, user_agent="claude-cli/2.1.63 (external, cli)") is None


@pytest.mark.parametrize("name", ["thread-id", "session-id", "session_id"])
@pytest.mark.parametrize(
    "sign",
    [
        {"x-codex-window-id": "s-1:0"},
        {"x-codex-turn-metadata": "{}"},
        {"user-agent": "codex_cli_rs/0.60.1 (Ubuntu 24.4.0; x86_64) xterm"},
        {"user-agent": "Codex Desktop/1.2 (Mac OS 26.0; arm64)"},
    ],
)
def test_codex_names_its_session_in_one_of_three_headers(name: str, sign: dict[str, str]) -> None:
    assert show_headers({name: "s-1", **sign}) == Shown("codex", "s-1", None)


def test_codex_thread_comes_before_its_session() -> None:
    shown = show(session_id="s", thread_id="t", x_codex_window_id="t:0")
    assert shown == Shown("codex", "t", None)


def test_a_codex_sub_agents_thread_is_a_lane_of_its_parents() -> None:
    shown = show(session_id="s", thread_id="child", x_codex_parent_thread_id="t", x_codex_window_id="t:0")
    assert shown == Shown("codex", "t", "child")


@pytest.mark.parametrize("name", ["x-session-affinity", "x-session-id"])
@pytest.mark.parametrize(
    ("agent", "harness"),
    [
        ("opencode/1.2.3 ai-sdk/openai-compatible/1.0.30 runtime/bun/1.3.1", "opencode"),
        ("Kilo-Code/7.0.1", "kilo"),
        ("kilo/latest/7.0.1/cli", "kilo"),
        ("opencode/local", "opencode"),
    ],
)
def test_opencode_and_kilo_are_told_by_their_user_agents(name: str, agent: str, harness: str) -> None:
    assert show_headers({name: "ses_1", "user-agent": agent}) == Shown(harness, "ses_1", None)


def test_an_opencode_sub_agents_session_is_a_lane_of_its_parents() -> None:
    shown = show(x_session_id="ses_2", x_parent_session_id="ses_1", user_agent="opencode/1.2.3")
    assert shown == Shown("opencode", "ses_1", "ses_2")


@pytest.mark.parametrize("agent", ["Mistral-Vibe/2.18.0", "mistral-client-python/Mistral-Vibe/2.18.0"])
def test_mistral_vibe_is_told_by_its_user_agents(agent: str) -> None:
    assert show(x_affinity="s-1", user_agent=agent) == Shown("mistral-vibe", "s-1", None)


@pytest.mark.parametrize("agent", ["node", "QwenCode/0.15.0 (linux; x64)", "QwenCode/unknown (linux; x64)"])
def test_qwen_codes_prompts_are_of_one_session(agent: str) -> None:
    for number in range(3):
        shown = show({"prompt_cache_key": f"6666-7777########{number}"}, user_agent=agent)
        assert shown == Shown("qwen-code", "6666-7777", None)


@pytest.mark.parametrize("name", ["session_id", "session-id", "x-session-affinity"])
def test_pi_is_told_by_the_id_that_it_repeats(name: str) -> None:
    assert show_headers({name: "s-1", "x-client-request-id": "s-1"}) == Shown("pi", "s-1", None)
    assert show_headers({name: "s-1", "x-client-request-id": "other"}) is None


@pytest.mark.parametrize("agent", ["pi/0.50.1 (linux; x64)", "pi (linux 6.1; x64)"])
def test_pi_is_told_by_its_user_agents(agent: str) -> None:
    assert show_headers({"session_id": "s-1", "user-agent": agent}) == Shown("pi", "s-1", None)


@pytest.mark.parametrize("value", ["", "a b", "x" * 257, "é"])
def test_what_is_no_id_names_no_session(value: str) -> None:
    assert show(x_claude_code_session_id=value) is None


def test_every_harness_has_a_name_that_a_header_can_tell() -> None:
    assert all(row.name.replace("-", "").isalnum() and row.name.isascii() for row in HARNESSES)
    assert len({row.name for row in HARNESSES}) == len(HARNESSES)
