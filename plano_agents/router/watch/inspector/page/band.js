// A session's turns as a band: a block per turn, one bar per run on one model with the model's name, a sign where the
// model changed, at a block's foot its ghost: the model that would have served the turn without affinity. One stop for the
// Tab key; the arrow keys go from turn to turn.

import { h } from "./dom.js";
import { mark, paint, shorten } from "./models.js";
import * as tip from "./tip.js";
import { conclude, decide, hasFailed, wouldSwitch } from "./words.js";

const CELL = 24;
const WIDEST_CELL = 96;
const EARLIER = 44;
const SIGN = 22;
const GAP = 4;
const CHARACTER = 7.4;

const SIGNS = { switch: ["⇄", "switched"], detour: ["⤳", "for this request alone"], initialize: ["↻", "pinned anew"] };

/** Cut turns into runs on one model; a run begins with what was decided. */
function cut(turns) {
  const runs = [];
  for (const turn of turns) {
    const last = runs.at(-1);
    if (last && last.model === (turn.model ?? null) && turn.decision !== "switch" && turn.decision !== "initialize") last.turns.push(turn);
    else runs.push({ model: turn.model ?? null, decision: turn.decision, turns: [turn] });
  }
  return runs;
}

/** The pixels in front of each turn; in front of the first there are some only where others came before. */
function gaps(turns, isCut) {
  return turns.map((turn, index) => {
    const before = turns[index - 1];
    if (!before && !isCut) return 0;
    const starts = !before || (before.model ?? null) !== (turn.model ?? null) || turn.decision === "switch" || turn.decision === "initialize";
    return starts ? GAP + (turn.decision in SIGNS ? SIGN : 0) : 0;
  });
}

const sum = (values) => values.reduce((all, each) => all + each, 0);

/** How many of the latest turns fit into a width in pixels. */
function fit(turns, width) {
  const before = gaps(turns, false);
  let used = 0;
  for (let index = turns.length - 1; index >= 0; index -= 1) {
    used += CELL + before[index];
    if (used > width) return turns.length - 1 - index;
  }
  return turns.length;
}

/** How wide a block is, in pixels, so that turns fill a width. */
const stretch = (turns, width, isCut) => Math.max(CELL, Math.min(WIDEST_CELL, (width - sum(gaps(turns, isCut))) / Math.max(1, turns.length)));

function cell(turn, number, text, isDimmed) {
  const told = `Turn ${number}: ${turn.model ?? "no model"}, ${decide(turn)}${turn.route ? `, route ${turn.route}` : ""}, ${conclude(turn)}`;
  const failed = hasFailed(turn) || turn.client_left;
  const { ghost } = turn;
  const without = ghost ? `, without affinity ${ghost.model}${wouldSwitch(ghost) ? ", a switch" : ""}` : "";
  return h(
    "button",
    { type: "button", class: `cell${failed ? " failed" : ""}${isDimmed ? " dimmed" : ""}`, tabindex: "-1", "aria-label": told + without, "data-n": turn.n },
    h("span", { "aria-hidden": "true" }, failed ? "✕" : text),
    ghost ? h("i", { class: `ghost ${paint(ghost.model)}${ghost.model === turn.model ? " same" : ""}${wouldSwitch(ghost) ? " switches" : ""}`, "aria-hidden": "true" }) : null,
  );
}

function draw(run, first, admits, size) {
  const name = shorten(run.model);
  const failure = run.turns.findIndex((turn) => hasFailed(turn) || turn.client_left);
  const room = (failure < 0 ? run.turns.length : failure) * size - 12;
  const isNamed = name.length * CHARACTER <= room;
  return h(
    "span",
    { class: `run ${paint(run.model)}`, role: "presentation" },
    isNamed ? h("span", { class: "name", "aria-hidden": "true" }, name) : null,
    run.turns.map((turn, index) => cell(turn, first + index, isNamed || index > 0 ? "" : mark(run.model), !admits(turn))),
  );
}

/**
 * Draw a session's band.
 *
 * Its blocks fill `width`, in pixels. It is limited to the latest turns that fit, unless it `wraps`: then it shows all
 * that are known. `admits` says which turns a filter means; the others are dimmed. `open` is called with a turn when it
 * is chosen.
 */
export function drawBand(session, { width, wraps = false, admits = () => true, open }) {
  const turns = session.turns;
  const isWhole = session.counts.turns === turns.length && fit(turns, width) === turns.length;
  const room = isWhole ? width : width - EARLIER;
  const shown = wraps ? turns.length : Math.max(1, fit(turns, room));
  const offset = session.counts.turns - shown;
  const latest = turns.slice(turns.length - shown);
  const size = stretch(latest, room, offset > 0);
  const band = h("div", { class: "band", role: "toolbar", "aria-label": `Turns of ${session.session ?? "requests without a session"}; arrow keys move` });
  band.classList.toggle("wrap", wraps);
  band.style.setProperty("--cell", `${size.toFixed(3)}px`);
  if (offset > 0) band.append(h("span", { class: "earlier" }, `+${offset}`, h("span", { class: "unseen" }, " earlier turns")));
  let number = offset + 1;
  for (const run of cut(latest)) {
    const sign = number > 1 ? SIGNS[run.decision] : null;
    if (sign) band.append(h("span", { class: `sign s-${run.decision}`, title: sign[1], "aria-hidden": "true" }, sign[0]));
    band.append(draw(run, number, admits, size));
    number += run.turns.length;
  }
  const cells = [...band.querySelectorAll(".cell")];
  cells.at(-1)?.setAttribute("tabindex", "0");
  const turnOf = (target) => {
    const index = cells.indexOf(target.closest?.(".cell"));
    return index < 0 ? null : [cells[index], latest[index], offset + 1 + index, index];
  };
  const tell = (event) => {
    const found = turnOf(event.target);
    if (found) tip.show(found[0], found[1], found[2]);
  };
  band.addEventListener("pointerover", tell);
  band.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && tell(event));
  band.addEventListener("pointerout", tip.leave);
  band.addEventListener("focusout", tip.hide);
  band.addEventListener("click", (event) => {
    const found = turnOf(event.target);
    if (found) open(found[1]);
  });
  band.addEventListener("keydown", (event) => {
    const found = turnOf(event.target);
    const to = { ArrowRight: (found?.[3] ?? 0) + 1, ArrowLeft: (found?.[3] ?? 0) - 1, Home: 0, End: cells.length - 1 }[event.key];
    if (!found || to === undefined) return;
    event.preventDefault();
    if (!cells[to]) return;
    found[0].setAttribute("tabindex", "-1");
    cells[to].setAttribute("tabindex", "0");
    cells[to].focus();
  });
  return band;
}

/** Put a new band in another's place; the turn that had the focus keeps it. */
export function replaceBand(old, band) {
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.n : null;
  old.replaceWith(band);
  if (focused === null) return;
  const cell = band.querySelector(`[data-n="${focused}"]`) ?? band.querySelector('[tabindex="0"]');
  band.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
  cell.setAttribute("tabindex", "0");
  cell.focus();
}
