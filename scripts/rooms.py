"""Rooms and arrows of the tree: which package imports which, floor by floor.

Prints each package's children as floors, an importing room above what it imports, with its arrows. The import rules
themselves, circles and upward arrows included, are contracts of import-linter in ``pyproject.toml``; this is the
picture of what they hold.
"""

import sys
from collections.abc import Mapping

import grimp

PACKAGES = ("plano_agents", "plano_agents.router")
"""Where the rooms are shown by default."""


def find_arrows(graph: grimp.ImportGraph, package: str) -> Mapping[str, frozenset[str]]:
    """Map each child of a package to its siblings that it imports, itself or by a module inside it.

    Args:
        graph: The whole import graph.
        package: Dotted name of the package.
    """
    modules = {room: {room, *graph.find_descendants(room)} for room in sorted(graph.find_children(package))}
    room_of = {module: room for room, inside in modules.items() for module in inside}
    return {
        room: frozenset(
            room_of[imported]
            for module in inside
            for imported in graph.find_modules_directly_imported_by(module)
            if imported in room_of and room_of[imported] != room
        )
        for room, inside in modules.items()
    }


def build_floors(arrows: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Sort rooms into floors, the ground floor first: each stands above everything that it imports.

    Raises:
        SystemExit: There is a circle; the message names its rooms.
    """
    floors: list[list[str]] = []
    placed: set[str] = set()
    while len(placed) < len(arrows):
        floor = sorted(room for room in arrows.keys() - placed if arrows[room] <= placed)
        if not floor:
            raise SystemExit(f"error: circle among {', '.join(sorted(arrows.keys() - placed))}")
        floors.append(floor)
        placed.update(floor)
    return floors


def main(packages: tuple[str, ...]) -> None:
    """Print rooms and arrows of each package."""
    graph = grimp.build_graph("plano_agents")
    for package in packages:
        arrows = find_arrows(graph, package)
        count = sum(map(len, arrows.values()))
        print(f"{package}: {len(arrows)} rooms, {count} arrows, no circle")
        for floor in reversed(build_floors(arrows)):
            for room in floor:
                names = ", ".join(sorted(each.rpartition(".")[2] for each in arrows[room]))
                print(f"  {room.rpartition('.')[2]:<16}{'→ ' + names if names else ''}")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or PACKAGES)
