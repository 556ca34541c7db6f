"""The providers' page shows the tables that requests are fitted by."""

from scripts.site.fitting import PAGE, render_page


def test_the_page_shows_the_tables_of_the_code() -> None:
    assert render_page(PAGE.read_text()) == PAGE.read_text(), "Run scripts/docs, which writes the tables."
