"""Draws boxes, arrows and words as an SVG that reads well on light and dark pages, and 360 pixels wide."""

from dataclasses import dataclass, field
from html import escape
from typing import Literal

Kind = Literal["plain", "ours", "pin", "first", "second", "quiet"]
"""What a box stands for: anything, a part of ours, what is remembered, one model, another model, an aside."""

WIDTH = 560
"""Units; a phone shows half a pixel of each, a wide page one or more."""

_LINE = 19
"""From one line of words to the next."""

_STYLE = """
svg{--paper:#ffffff;--ink:#1c2333;--soft:#5a6478;--line:#7d879b;--plain:#f1f3f8;--ours:#e3e8fd;--oursline:#4353c4;
--pin:#fdf0d5;--pinline:#a86a00;--first:#dcebfb;--firstline:#1b66b0;--second:#f9e0ea;--secondline:#b0275f}
@media (prefers-color-scheme:dark){svg{--paper:#171b26;--ink:#e8ebf4;--soft:#a5aec2;--line:#7f8aa3;--plain:#242a39;
--ours:#2a3163;--oursline:#8d9bff;--pin:#43351a;--pinline:#e0ab4d;--first:#1d3a57;--firstline:#7cb8f2;
--second:#4d2438;--secondline:#f08ab2}}
text{font:14px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12.5px}
.b{font-weight:600}.soft{fill:var(--soft)}.mid{text-anchor:middle}
.paper{fill:var(--paper)}rect.box{stroke-width:1.4;rx:7px}
.plain{fill:var(--plain);stroke:var(--line)}.ours{fill:var(--ours);stroke:var(--oursline)}
.pin{fill:var(--pin);stroke:var(--pinline)}.first{fill:var(--first);stroke:var(--firstline)}
.second{fill:var(--second);stroke:var(--secondline)}.quiet{fill:none;stroke:var(--line);stroke-dasharray:5 4}
path.arrow{fill:none;stroke:var(--line);stroke-width:1.6;marker-end:url(#head)}.head{fill:var(--line)}
"""


@dataclass(slots=True)
class Drawing:
    """A picture in the making.

    Every word starts with what it looks like, if not like the others: ``*bold``, ```mono``, ``~soft``.
    """

    height: int
    """Units, as all lengths here."""
    title: str
    """What it shows, for who cannot see it."""
    parts: list[str] = field(default_factory=list)
    """What was drawn."""

    def box(self, x: int, y: int, width: int, height: int, words: str = "", *, kind: Kind = "plain") -> None:
        """Draw a box, its lines of words in its middle."""
        self.parts.append(f'<rect class="box {kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>')
        lines = words.splitlines()
        top = y + height / 2 - (len(lines) - 1) * _LINE / 2 + 5
        for number, line in enumerate(lines):
            self._write(x + width / 2, top + number * _LINE, line, "mid")

    def words(self, x: int, y: int, words: str, *, middle: bool = False) -> None:
        """Write lines of words; ``y`` is the first one's baseline."""
        for number, line in enumerate(words.splitlines()):
            self._write(x, y + number * _LINE, line, "mid" if middle else "")

    def arrow(self, path: str) -> None:
        """Draw an arrow along an SVG path, such as ``M0 0H20``."""
        self.parts.append(f'<path class="arrow" d="{path}"/>')

    def _write(self, x: float, y: float, line: str, css: str) -> None:
        looks = {"*": "b", "`": "mono", "~": "soft"}
        css = " ".join(filter(None, (css, looks.get(line[:1], ""))))
        self.parts.append(
            f'<text class="{css}" x="{x:g}" y="{y:g}">{escape(line[1:] if line[:1] in looks else line)}</text>'
        )

    def render(self) -> str:
        """Write the file."""
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" role="img" aria-label="{escape(self.title)}">\n<title>{escape(self.title)}</title>\n'
            f"<style>{_STYLE}</style>\n"
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
            'orient="auto-start-reverse"><path class="head" d="M0 1L10 5L0 9z"/></marker></defs>\n'
            f'<rect class="paper" width="{WIDTH}" height="{self.height}" rx="10"/>\n{body}\n</svg>\n'
        )
