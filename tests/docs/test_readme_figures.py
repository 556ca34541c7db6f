"""The README's figures, which are those of the page that says how they were measured."""

from tests.docs.fences import ROOT

SAME_ROWS = {
    "each request, by its last message": "every request, by the last message of any role",
    "each request, by the conversation": "every request, by the window message by message (the default)",
    "each request, by what the user said": "every request, by what the user said (`route_on_user_only`)",
    "the first request, then pinned": "the first request, then pinned (affinity; through a router)",
}
"""The README's rows, and the page's."""


def read_rows(page: str) -> dict[str, list[str]]:
    """Read the rows of a page's tables, by their first cell."""
    cells = [
        [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")]
        for line in (ROOT / page).read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in cells}


def test_the_readmes_loops_are_those_of_the_routing_page() -> None:
    readme, page = read_rows("README.md"), read_rows("docs/routing.md")
    for short, long in SAME_ROWS.items():
        right, switches, _, _, later = page[long]
        assert [each.removesuffix(" ms") for each in readme[short][:2]] == [right, switches], short
        assert abs(float(readme[short][2].removesuffix(" ms")) - float(later)) <= 0.5, short
