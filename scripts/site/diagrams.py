"""Draws the documentation's diagrams into ``docs/images``.

Run by ``scripts/docs``; a test fails while a file is not what this draws.
"""

from collections.abc import Callable
from pathlib import Path

from scripts.site.drawing import Drawing, Kind

FOLDER = Path(__file__).parents[2] / "docs" / "images"


def draw_affinity() -> Drawing:
    """Eight turns of the demo's job, without and with an id."""
    drawing = Drawing(
        252,
        "Without an affinity id the eight turns of a job change the model four times; with one all go to the model of the "
        "first turn.",
    )
    drawing.words(24, 36, "*Without: each request is routed by itself")
    drawing.words(24, 156, "*With X-Model-Affinity: the first decides")
    for turn in range(8):
        x = 24 + turn * 65
        switched = turn in {4, 6}
        kind: Kind = "second" if switched else "first"
        drawing.box(x, 50, 57, 52, f"~turn {turn + 1}\n{'claude' if switched else 'gpt-4o'}", kind=kind)
        drawing.box(x, 170, 57, 52, f"~turn {turn + 1}\ngpt-4o", kind="first")
        if turn:
            drawing.arrow(f"M{x - 8} 76H{x}")
            drawing.arrow(f"M{x - 8} 196H{x}")
    drawing.words(410, 122, "~switched: cache lost, four times", middle=True)
    drawing.words(24, 242, "~routed, pinned")
    drawing.words(336, 242, "~retained: nothing is routed", middle=True)
    return drawing


def draw_order() -> Drawing:
    """The diagram of the sources of a request's model."""
    drawing = Drawing(
        340,
        "A request's model is that of the live pin; else of the hint; else of the preference that its conversation matches; "
        "else its own.",
    )
    steps: tuple[tuple[str, str, Kind], ...] = (
        ("*a live pin of its id?", "`retain; reason=pinned", "pin"),
        ("*a hint that is configured?", "`initialize; reason=hint", "pin"),
        ("*a preference that matches?", "`initialize; reason=first_turn", "ours"),
        ("*the request's own model", "`initialize; reason=first_turn", "plain"),
    )
    for number, (question, answer, kind) in enumerate(steps):
        y = 20 + number * 80
        drawing.box(24, y, 246, 50, question, kind=kind)
        drawing.arrow(f"M270 {y + 25}H302")
        drawing.box(304, y, 234, 50, answer, kind="quiet")
        if number:
            drawing.arrow(f"M147 {y - 30}V{y}")
            drawing.words(158, y - 9, "~no")
    return drawing


def draw_pins() -> Drawing:
    """A pin's life."""
    drawing = Drawing(
        300,
        "A pin begins by initialize, is kept by retain, moves to another model by switch, and ends by idle time, eviction, "
        "DELETE or the loss of its store.",
    )
    drawing.box(24, 104, 112, 56, "*no pin", kind="quiet")
    drawing.box(224, 104, 124, 56, "*pinned\n~to a model", kind="pin")
    drawing.box(420, 104, 116, 56, "*pinned\n~to another", kind="pin")
    drawing.arrow("M136 132H224")
    drawing.words(180, 78, "`initialize\n~first_turn, hint", middle=True)
    drawing.arrow("M348 132H420")
    drawing.words(384, 18, "`switch\n~upstream_failed\n~unsuitable\n~model_removed\n~user_turn", middle=True)
    drawing.arrow("M252 160V190Q252 204 266 204H306Q320 204 320 190V160")
    drawing.words(286, 226, "`retain", middle=True)
    drawing.arrow("M450 160V190Q450 204 464 204H494Q508 204 508 190V160")
    drawing.words(479, 226, "`retain\n~or switch again", middle=True)
    drawing.arrow("M236 160V268H80V160")
    drawing.words(80, 288, "~idle time, eviction, DELETE, store lost")
    return drawing


def draw_id() -> Drawing:
    """The diagram of the sources of a request's id."""
    drawing = Drawing(
        392,
        "A request carries the first of: the call's own argument, the caller's own header, the model's field, the run's "
        "configurable, the scope around it, the thread's id; or none.",
    )
    rows = (
        ("*the call's own argument", "`llm.invoke(x, affinity_id=…)"),
        ("*the caller's own header", "`extra_headers={…}"),
        ("*the model's or client's field", "`ChatPlano(affinity_id=…)"),
        ("*the run's configurable", "`model_affinity_id"),
        ("*the scope around it", "`with model_affinity():"),
        ("*the run's thread, hashed", "`thread_id"),
        ("*none", "~routed afresh, nothing remembered"),
    )
    for number, (source, how) in enumerate(rows):
        y = 16 + number * 53
        last = number == len(rows) - 1
        drawing.box(24, y, 232, 38, source, kind="quiet" if last else "ours")
        drawing.words(276, y + 24, how)
        if number:
            drawing.arrow(f"M140 {y - 15}V{y}")
    return drawing


def draw_architecture() -> Drawing:
    """The parts, and what passes between them."""
    drawing = Drawing(
        560,
        "Agents, by our clients or any other, and the agent server send requests with an affinity id to the router. It looks "
        "for the pin, routes if there is none, sends to a provider, and streams the answer back.",
    )
    drawing.box(24, 20, 246, 76, "*your agent, any framework\n~ChatPlano, instrument(),\n~or just the header")
    drawing.box(
        290,
        20,
        246,
        76,
        "*agent server\n~a LangGraph graph over HTTP\n~own API, OpenAI's, AG-UI",
        kind="ours",
    )
    drawing.arrow("M147 96V164")
    drawing.arrow("M413 96V164")
    drawing.words(280, 136, "`X-Model-Affinity: <id>", middle=True)
    drawing.box(24, 166, 512, 268, "", kind="ours")
    drawing.words(44, 192, "*router")
    drawing.words(516 - 290, 192, "~chat completions, messages, responses")
    steps: tuple[tuple[str, Kind], ...] = (
        ("*parse\n~what is read", "plain"),
        ("*decide\n~pin? hint?", "pin"),
        ("*route\n~if neither", "plain"),
        ("*send\n~with failover", "plain"),
    )
    for number, (words, kind) in enumerate(steps):
        x = 40 + number * 122
        drawing.box(x, 210, 112, 58, words, kind=kind)
        if number:
            drawing.arrow(f"M{x - 10} 239H{x}")
    drawing.arrow("M218 268V312")
    drawing.box(152, 314, 132, 58, "*pins\n~memory | Redis", kind="pin")
    drawing.arrow("M340 268V312")
    drawing.box(300, 314, 216, 58, "*strategy\n~embedded | routing model")
    drawing.words(280, 412, "~headers say decision, reason, model, route", middle=True)
    drawing.arrow("M462 268V292H528V460")
    drawing.arrow("M96 460V434")
    drawing.words(108, 452, "~the answer")
    drawing.box(24, 462, 512, 76, "*providers\n~OpenAI · Anthropic · any OpenAI-compatible\n~simulated ones, offline")
    return drawing


def draw_replicas() -> Drawing:
    """Several replicas behind a balancer."""
    drawing = Drawing(
        330,
        "A load balancer sends requests to any replica; the replicas share their pins in one Redis master.",
    )
    drawing.box(150, 18, 260, 50, "*load balancer\n~no stickiness needed")
    for number, name in enumerate(("replica a", "replica b", "replica c")):
        x = 24 + number * 178
        drawing.arrow(f"M{180 + number * 100} 68L{x + 78} 118")
        drawing.box(x, 120, 156, 76, f"*{name}\n~a worker, or a host\n~remembers its own", kind="ours")
        drawing.arrow(f"M{x + 78} 196L{180 + number * 100} 252")
    drawing.box(110, 254, 340, 58, "*Redis, one master\n~pins: written if absent, moved by comparing", kind="pin")
    return drawing


def draw_deployment() -> Drawing:
    """The parts of a deployment, as ``deploy/compose`` has them."""
    drawing = Drawing(
        372,
        "Agents ask haproxy, which sends each request to either router; both keep pins in Redis and ask the providers. "
        "People ask the agent server, an agent like the others. Prometheus asks every server.",
    )
    drawing.box(24, 18, 150, 50, "*agents\n~with a client key")
    drawing.box(205, 18, 150, 50, "*agent server\n~your graph", kind="ours")
    drawing.box(386, 18, 150, 50, "*Prometheus\n~the admin token")
    drawing.arrow("M99 68L180 112")
    drawing.arrow("M280 68L280 112")
    drawing.box(110, 114, 260, 46, "*haproxy :12000\n~no stickiness; /readyz")
    for x, name in ((60, "*router a"), (264, "*router b")):
        drawing.arrow(f"M240 160L{x + 78} 194")
        drawing.box(x, 196, 156, 50, f"{name}\n~or blue and green", kind="ours")
        drawing.arrow(f"M{x + 78} 246L160 292")
        drawing.arrow(f"M{x + 78} 246L400 292")
    drawing.arrow("M470 68L400 194")
    drawing.box(60, 294, 200, 58, "*Redis\n~pins, on disk", kind="pin")
    drawing.box(300, 294, 200, 58, "*providers\n~over TLS")
    return drawing


def draw_translation() -> Drawing:
    """Three APIs, one hub, two wires."""
    drawing = Drawing(
        232,
        "A request on one of three APIs is read into a hub and written for the provider's wire; where both speak the same, "
        "it passes as it is.",
    )
    for number, name in enumerate(("`chat completions", "`messages", "`responses")):
        y = 20 + number * 56
        drawing.box(24, y, 150, 42, name)
        drawing.arrow(f"M174 {y + 21}L212 97")
    drawing.box(214, 62, 126, 70, "*hub\n~chat, extended", kind="ours")
    for number, name in enumerate(("*OpenAI-compatible", "*Anthropic")):
        y = 42 + number * 68
        drawing.arrow(f"M340 97L368 {y + 21}")
        drawing.box(370, y, 168, 42, name)
    drawing.words(280, 214, "~the same on both sides: passed through, only model changes", middle=True)
    return drawing


DRAWINGS: dict[str, Callable[[], Drawing]] = {
    "affinity": draw_affinity,
    "architecture": draw_architecture,
    "deployment": draw_deployment,
    "id": draw_id,
    "order": draw_order,
    "pins": draw_pins,
    "replicas": draw_replicas,
    "translation": draw_translation,
}


def write_diagrams() -> None:
    """Bring every file up to date."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw().render())


if __name__ == "__main__":
    write_diagrams()
