"""The tree of errors, as `plano_agents.errors` draws it."""

import re
from collections.abc import Iterator

from plano_agents import errors
from plano_agents.errors import PlanoError

LINE = re.compile(r"^    (?P<branch>[│├└─ ]*)(?P<name>\w+Error) +(?P<status>\d{3}|-) +(?P<rest>.+)$", re.MULTILINE)


def list_drawn() -> Iterator[tuple[str, str, str]]:
    """Each error of the drawing under its parent, with what is said of it."""
    above: dict[int, str] = {0: "Exception"}
    for line in LINE.finditer(errors.__doc__ or ""):
        depth = len(line["branch"]) // 4
        above[depth + 1] = line["name"]
        yield above[depth], line["name"], f"{line['status']} {line['rest']}"


def list_classes(root: type[PlanoError] = PlanoError) -> Iterator[type[PlanoError]]:
    """An error and all that are kinds of it, without those that other modules define."""
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from list_classes(kind)


def test_every_error_is_drawn_under_its_parent_and_no_other_is() -> None:
    drawn = sorted((parent, name) for parent, name, _ in list_drawn())
    assert drawn == sorted((kind.__bases__[0].__name__, kind.__name__) for kind in list_classes())


def test_an_error_is_drawn_with_the_status_and_code_it_is_answered_with() -> None:
    answered = {name: said for _, name, said in list_drawn() if not said.startswith("-")}
    kinds = [kind for kind in list_classes() if kind.__name__ in answered]
    assert answered == {kind.__name__: f"{kind.status_code} {kind.code}" for kind in kinds}
