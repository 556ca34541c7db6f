"""Breaks the code on purpose, one small break at a time, and reports which breaks no test notices.

    uv run --group dev python scripts/mutation.py plano_agents/sessions --sample 100 --minutes 20

A break swaps a comparison, turns a condition round, moves a number by one, or leaves a statement out. Each is tried in
a copy of the tree against the tests that stand where its module stands: `tests/sessions/test_pin.py` for
`plano_agents/sessions/pin.py`, then the other tests of that folder that import it, but for those that start processes
of their own (`SLOW`). A break that no test fails on has survived: it shows a promise without a test, or code that
nobody needs.

One process loads what all tests import and is forked for each break, so that a break costs its tests alone.
"""

import argparse
import ast
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 150
"""How long the tests of one break may take: a break that never ends is caught."""

EQUIVALENT = ("__repr__", "__slots__", "_log", "logger", "TYPE_CHECKING", "__all__", "__name__")
"""Lines that hold one of these are not broken: tests do not read them."""

SLOW = (
    "million",
    "and_story",
    "replicas",
    "rolling",
    "shared",
    "history",
    "linearizability",
    "share",
    "one_core",
    "redis.py",
)
"""Tests whose file is called so are left out: a break would cost minutes."""

WIDER = {
    "plano_agents/router/request/fast": (
        "tests/router/request/test_fast_path.py",
        "tests/router/request/test_fast_path_and_story.py::test_a_bug_once_a_provider_is_spoken_to_is_answered_and_keeps_nothing",
        "tests/router/request/test_fast_path_and_story.py::test_a_conversation_that_is_not_json_is_refused_among_requests_that_are_alike_around_it",
        "tests/router/request/test_fast_path_and_story.py::test_they_do_the_same_whatever_happens_while_a_shared_store_is_awaited",
    ),
    "plano_agents/http/server": ("tests/http/server",),
    "plano_agents/http/client": ("tests/http/client",),
}
"""Tests of modules that are tested together, by how the modules' paths begin; of a slow file, those that are not."""

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.Mod: "*",
}


@dataclass(frozen=True, slots=True)
class Break:
    """One change of a module."""

    path: Path
    """The module, from the root."""
    line: int
    """Where, from 1."""
    was: str
    """The text that is replaced."""
    now: str
    """The text in its place."""
    at: int
    """Where the text begins, in bytes from the file's beginning."""

    def apply(self, source: bytes) -> bytes:
        """Make the change."""
        return source[: self.at] + self.now.encode() + source[self.at + len(self.was.encode()) :]


def find_breaks(path: Path) -> list[Break]:
    """List the breaks of a module."""
    source = (ROOT / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = source.decode().splitlines()
    found: list[Break] = []
    tree = ast.parse(source)
    # What a decorator says, as that a class is frozen or has slots, is not for tests.
    decorated = {
        id(part) for node in ast.walk(tree) for each in getattr(node, "decorator_list", ()) for part in ast.walk(each)
    }
    for node in ast.walk(tree):
        if id(node) in decorated:
            continue
        for begin, end, now in _change(node):
            first = starts[begin[0] - 1] + begin[1]
            last = starts[end[0] - 1] + end[1]
            if not any(word in lines[begin[0] - 1] for word in EQUIVALENT):
                found.append(Break(path, begin[0], source[first:last].decode(), now, first))
    return found


Place = tuple[int, int]


def _change(node: ast.AST) -> Iterator[tuple[Place, Place, str]]:  # noqa: C901 - a row for each kind
    """Give the changes of a node: from where to where, and what stands there then."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARISONS:
            now = f"{ast.unparse(left)} {_COMPARISONS[type(operator)]} {ast.unparse(right)}"
            yield _begin(node), _end(node), f"({now})"
        case ast.BoolOp(op=operator, values=values):
            other = " or " if isinstance(operator, ast.And) else " and "
            yield _begin(node), _end(node), f"({other.join(f'({ast.unparse(value)})' for value in values)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _begin(node), _end(node), f"({ast.unparse(operand)})"
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
            if not any(
                isinstance(side, ast.Constant) and isinstance(side.value, str | bytes) for side in (left, right)
            ):
                now = f"({ast.unparse(left)} {_ARITHMETIC[type(operator)]} {ast.unparse(right)})"
                yield _begin(node), _end(node), now
        case ast.Constant(value=bool(value)):
            yield _begin(node), _end(node), str(not value)
        case ast.Constant(value=int(value)):
            yield _begin(node), _end(node), str(value + 1)
        case ast.If(test=test):
            yield _begin(test), _end(test), f"(not ({ast.unparse(test)}))"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Assign(targets=[ast.Attribute()]):
            yield _begin(node), _end(node), "pass"
        case ast.Continue():
            yield _begin(node), _end(node), "break"


def _begin(node: ast.expr | ast.stmt) -> Place:
    return node.lineno, node.col_offset


def _end(node: ast.expr | ast.stmt) -> Place:
    assert node.end_lineno is not None  # noqa: S101 - parsed from source
    assert node.end_col_offset is not None  # noqa: S101 - parsed from source
    return node.end_lineno, node.end_col_offset


def find_tests(path: Path) -> list[str]:
    """List the test files of a module: its own first, then those of its folder that import it."""
    folder = Path("tests", *path.parts[1:-1])
    name = path.stem if path.stem != "__init__" else path.parent.name
    dotted = ".".join(path.with_suffix("").parts)
    own = [folder / f"test_{name}.py", *sorted((ROOT / folder).glob(f"test_{name}_*.py"))]
    others = [each for each in sorted((ROOT / folder).glob("test_*.py")) if dotted in each.read_text()]
    wider = [each for begin, tests in WIDER.items() if str(path).startswith(begin) for each in tests]
    found = [str(each.relative_to(ROOT) if each.is_absolute() else each) for each in (*own, *others)]
    quick = [each for each in found if not any(word in each for word in SLOW)]
    return [each for each in dict.fromkeys([*quick, *wider]) if (ROOT / each.partition("::")[0]).exists()]


def preload() -> None:
    """Load what tests import, but nothing of the tree: each fork loads that anew."""
    import asyncio  # noqa: F401, PLC0415

    import anthropic  # noqa: F401, PLC0415
    import fastapi  # noqa: F401, PLC0415
    import httpx  # noqa: F401, PLC0415
    import hypothesis.strategies  # noqa: F401, PLC0415
    import msgspec  # noqa: F401, PLC0415
    import numpy as np  # noqa: F401, PLC0415
    import openai.types.chat  # noqa: F401, PLC0415
    import pydantic  # noqa: F401, PLC0415
    import pytest  # noqa: F401, PLC0415
    import yaml  # noqa: F401, PLC0415


def run_tests(copy: Path, tests: Sequence[str]) -> bool:
    """Run tests in a fork; True if they pass."""
    child = os.fork()
    if child == 0:
        try:
            _become_tests(copy, tests)
        finally:
            os._exit(1)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _end_group(child)
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    _end_group(child)
    os.waitpid(child, 0)
    return False


def _become_tests(copy: Path, tests: Sequence[str]) -> None:
    """Run tests in this process, and end it by their outcome."""
    import pytest  # noqa: PLC0415 - loaded before the fork

    os.setsid()
    os.chdir(copy)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    sys.path.insert(0, str(copy))
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    quiet = ["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    os._exit(int(pytest.main([*quiet, *tests])))


def _end_group(leader: int) -> None:
    """End what the tests of a fork have left running."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """Break, test, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="modules and folders to break")
    parser.add_argument("--sample", type=int, help="try so many breaks, drawn at random  [default: all]")
    parser.add_argument("--seed", type=int, default=0, help="draws others")
    parser.add_argument("--minutes", type=float, default=20.0, help="stop after so long")
    parser.add_argument("--skip", nargs="*", default=[], help="leave out paths that begin so")
    options = parser.parse_args()
    modules = [each for path in options.paths for each in ([path] if path.suffix else sorted(path.rglob("*.py")))]
    modules = [each for each in modules if not str(each).startswith(tuple(options.skip)) and find_tests(each)]
    breaks = [each for module in modules for each in find_breaks(module)]
    random.Random(options.seed).shuffle(breaks)  # noqa: S311 - not for secrets
    print(f"{len(modules)} modules with tests of their own, {len(breaks)} breaks", flush=True)
    preload()
    until = time.monotonic() + options.minutes * 60
    tried, survived, clean = 0, 0, dict[Path, bool]()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".mypy_cache", ".uv", "__pycache__"))
        for each in breaks[: options.sample]:
            if time.monotonic() > until:
                break
            tests = find_tests(each.path)
            if each.path not in clean:
                clean[each.path] = run_tests(copy, tests)
                if not clean[each.path]:
                    print(f"{each.path}: its tests fail unbroken ({' '.join(tests)})", flush=True)
            if not clean[each.path]:
                continue
            source = (ROOT / each.path).read_bytes()
            (copy / each.path).write_bytes(each.apply(source))
            # Most breaks fail the module's own tests, so the others are not even loaded for these.
            lives = run_tests(copy, tests[:1]) and (len(tests) == 1 or run_tests(copy, tests[1:]))
            (copy / each.path).write_bytes(source)
            tried, survived = tried + 1, survived + lives
            if lives:
                print(
                    f"survived  {each.path}:{each.line}  {' '.join(each.was.split())[:70]!r} → {each.now[:70]!r}",
                    flush=True,
                )
    print(f"{tried} tried, {tried - survived} caught ({(tried - survived) / max(tried, 1):.0%}), {survived} survived")


if __name__ == "__main__":
    main()
