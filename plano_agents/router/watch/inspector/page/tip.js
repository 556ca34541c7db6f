// The card that tells of one turn, beside it: on hover, and on focus. It stays while the pointer is on it, and goes with
// Escape (WCAG 2.2, 1.4.13).

import { h, pair } from "./dom.js";
import { brief, clock, count, ms, NO_PRICE, plural, UNKNOWN, usd } from "./format.js";
import { label } from "./models.js";
import { conclude, decide, explain, explainGhost, hasFailed } from "./words.js";

const card = () => document.getElementById("tip");
let leaving = 0;
let described = null;

/** A preference's score as a bar, with the score to exceed. */
function score(name, value, turn) {
  const isMatch = name === turn.route;
  const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("i", {}));
  if (value !== null) bar.firstChild.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
  if (turn.threshold !== undefined) {
    const limit = h("b", {});
    limit.style.left = `${turn.threshold * 100}%`;
    bar.append(limit);
  }
  const told = value === null ? (isMatch ? "match" : UNKNOWN) : value.toFixed(2);
  return h("li", { class: isMatch ? "match" : null }, h("span", { class: "name" }, name), value === null ? null : bar, h("span", { class: "value" }, told));
}

/** How the preferences scored; null where nothing was routed. */
export function scores(turn) {
  if (!turn.scores?.length) return null;
  const limit = turn.threshold === undefined ? "" : `, a match exceeds ${turn.threshold.toFixed(2)}`;
  return h(
    "div",
    { class: "scores" },
    h("p", {}, `Route scores (${turn.strategy}${limit})`),
    h("ul", {}, turn.scores.map(([name, value]) => score(name, value, turn))),
  );
}

/** Whom the request was sent to, where that was not one answer; equal tries in a row are told together. */
export function sendings(turn) {
  if (!turn.sendings?.length) return null;
  const told = [];
  for (const { model, deployment, status, failure, words, duration_ms } of turn.sendings) {
    const said = words ?? failure ?? String(status);
    const last = told.at(-1);
    if (last?.model === model && last.deployment === deployment && last.said === said) last.durations.push(ms(duration_ms));
    else told.push({ model, deployment, said, durations: [ms(duration_ms)] });
  }
  return h(
    "div",
    { class: "sendings" },
    h("p", {}, "Sent to"),
    h("ol", {}, told.map(({ model, deployment, said, durations }) => h("li", {}, label(model), deployment ? h("span", {}, deployment) : null, h("span", {}, `${durations.length > 1 ? `${durations.length} × ` : ""}${said} after ${durations.join(", ")}`)))),
  );
}

/** How long each phase of a turn took; together they are all of it. */
function phases(turn) {
  const told = [["Routing", turn.routing_ms], ["Upstream", turn.upstream_ms]];
  const sum = () => told.reduce((all, [, value]) => all + (value ?? 0), 0);
  if (turn.streams && turn.first_ms !== undefined) told.push(["First bytes", Math.max(0, turn.first_ms - sum())]);
  if (turn.routing_ms !== undefined) told.push([turn.streams ? "Streaming" : "Writing", Math.max(0, turn.duration_ms - sum())]);
  return told;
}

/** A turn's figures. */
export const figures = (turn) => [
  ...phases(turn).map(([name, value]) => pair(name, ms(value))),
  pair("Total", ms(turn.duration_ms)),
  pair("Prompt", `${brief(turn.input ?? 0)}`),
  pair("Cached", `${brief(turn.cached ?? 0)}`),
  pair("Output", `${brief(turn.output ?? 0)}`),
  turn.deployment ? pair("Deployment", turn.deployment) : null,
  pair("Cost", turn.cost_usd === undefined ? NO_PRICE : usd(turn.cost_usd, turn.cost_is_most)),
  turn.adjusted?.length ? h("div", { class: "wide" }, h("dt", {}, "Adjusted"), h("dd", {}, turn.adjusted.join(", "))) : null,
];

/** What the turn would have been without affinity; null where it was not routed beside. */
export function ghost(turn) {
  const found = turn.ghost;
  if (!found) return null;
  return h(
    "div",
    { class: "ghosted" },
    h("p", {}, "Without affinity"),
    label(found.model),
    h("p", { class: "why" }, explainGhost(found)),
    found.input ? h("p", { class: "why" }, `${count(found.anew ?? 0)} of ${plural(found.input, "prompt token")} read anew${found.usd === undefined ? "" : `; list price ${usd(found.usd)} instead of ${usd(found.kept_usd)}`}; ${ms(found.routing_ms)} for routing.`) : null,
  );
}

function fill(turn, number) {
  card().replaceChildren(
    h("p", { class: "head" }, label(turn.model), turn.deployment ? h("span", {}, turn.deployment) : null, h("span", { class: "when" }, `turn ${number}, ${clock(turn.at)}`)),
    h("p", { class: "decided" }, h("span", { class: `badge d-${turn.decision ?? "refused"}` }, decide(turn)), turn.route ? h("span", { class: "route" }, turn.decision === "retain" ? `pinned for ${turn.route}` : `route ${turn.route}`) : null, hasFailed(turn) || turn.client_left ? h("span", { class: "badge bad" }, conclude(turn)) : null),
    h("p", { class: "why" }, explain(turn)),
    scores(turn) ?? "",
    sendings(turn) ?? "",
    h("dl", { class: "figures" }, figures(turn)),
    ghost(turn) ?? "",
  );
}

function move(anchor) {
  const at = anchor.getBoundingClientRect();
  const own = card().getBoundingClientRect();
  const left = Math.max(8, Math.min(innerWidth - own.width - 8, at.left + at.width / 2 - own.width / 2));
  const below = at.bottom + 8 + own.height < innerHeight || at.top < own.height + 16;
  card().style.left = `${left}px`;
  card().style.top = `${Math.max(8, below ? at.bottom + 6 : at.top - own.height - 6)}px`;
}

export function show(anchor, turn, number) {
  clearTimeout(leaving);
  fill(turn, number);
  card().hidden = false;
  described?.removeAttribute("aria-describedby");
  described = anchor;
  anchor.setAttribute("aria-describedby", "tip");
  move(anchor);
}

export function hide() {
  clearTimeout(leaving);
  card().hidden = true;
  described?.removeAttribute("aria-describedby");
  described = null;
}

/** Hide it, unless the pointer reaches it in a moment. */
export function leave() {
  clearTimeout(leaving);
  leaving = setTimeout(hide, 120);
}

export function prepare() {
  card().addEventListener("pointerenter", () => clearTimeout(leaving));
  card().addEventListener("pointerleave", leave);
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("scroll", hide, { passive: true, capture: true });
}
