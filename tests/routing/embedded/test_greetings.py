import pytest

from plano_agents.routing.embedded.greetings import is_greeting


@pytest.mark.parametrize(
    "text",
    ["hi", "Hello there!", "good morning", "Thanks a lot!", "thank you so much for your help", "ok", "Yes, please.", "bye",
     "Danke schön", "merci beaucoup", "привет", "你好", "こんにちは", "안녕하세요", "xin chào", "perfect, thanks 👍", "How are you?"],
)  # fmt: skip
def test_what_only_greets_thanks_or_agrees_is_a_greeting(text: str) -> None:
    assert is_greeting(text)


@pytest.mark.parametrize(
    "text",
    ["", "?", "hi, write a poem", "thank you letter", "good books", "how much is it", "what is it", "welcome email",
     "hello world in Rust", "the job", "ok " * 50, "help", "yes " * 100_000],
)  # fmt: skip
def test_what_asks_for_something_is_none(text: str) -> None:
    assert not is_greeting(text)
