import pytest

from plano_agents.routing.embedded.languages import tell_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("这张图表里的趋势说明了什么", "zh"),
        ("この表で一番売れた商品はどれですか", "ja"),
        ("이 코드에서 오류를 찾아 줘", "ko"),
        ("Кто первым полетел в космос?", "ru"),
        ("Хто перший полетів у космос?", "uk"),  # noqa: RUF001 - Ukrainian
        ("Viết một bài thơ về mùa thu", "vi"),
        ("用Python写一个函数", "zh"),
        ("ما القانون", "ar"),
        ("Write a poem", None),
        ("Écris un poème à propos de l'été", None),
        ("translate Привет to English, please, and tell me how it is used", None),
        ("12 + 30 = ?", None),
        ("", None),
    ],
)
def test_a_language_shows_in_its_letters(text: str, language: str | None) -> None:
    assert tell_language(text) == language
