// What all requests since the start came to.

import { h, write } from "./dom.js";
import { brief, count, date, ms, percent, plural, UNKNOWN, usd } from "./format.js";

const TILES = [
  ["turns", "Turns"],
  ["switches", "Switches"],
  ["routing", "Time to decide"],
  ["cached", "Prompt from cache"],
  ["cost", "Cost"],
  ["violations", "Violations"],
];

/** What each tile says: a figure, and what it is made of. */
function read({ counts, sessions, violations, routed_ms: routed, pinned_ms: pinned }, hasPrices) {
  return {
    turns: [brief(counts.turns), `of ${plural(sessions, "session")}${counts.failures ? `, ${count(counts.failures)} failed` : ""}`],
    switches: [brief(counts.switches), counts.switches ? `${percent(counts.switches, counts.turns)} of turns, each for a listed reason` : "no session changed its model"],
    routing: [ms(pinned), `for later turns; first turns take ${ms(routed)} (medians)`],
    cached: [percent(counts.cached, counts.input), `${brief(counts.cached)} of ${brief(counts.input)} tokens`],
    cost: [counts.priced ? usd(counts.cost_usd, counts.cost_is_most) : UNKNOWN, counts.priced ? `of ${plural(counts.priced, "turn")} with known prices` : counts.input && !hasPrices ? "price unknown: set models.<name>.input_price and output_price" : "no turn had a known price yet"],
    violations: [count(violations), violations ? "turns on another model without a listed reason" : "no model changed without a listed reason"],
  };
}

export class Totals {
  constructor() {
    this.element = h(
      "section",
      { class: "totals", "aria-label": "Totals" },
      h("dl", {}, TILES.map(([name, title]) => h("div", { class: `tile t-${name}` }, h("dt", {}, title), h("dd", {}, h("b", {}, UNKNOWN), h("span", {}, " "))))),
    );
    this.meter = h("i", {});
    this.element.querySelector(".t-cached dd").append(h("span", { class: "meter", "aria-hidden": "true" }, this.meter));
  }

  update(totals, hasPrices) {
    const told = read(totals, hasPrices);
    for (const [name, [figure, detail]] of Object.entries(told)) {
      const tile = this.element.querySelector(`.t-${name}`);
      write(tile.querySelector("b"), figure);
      write(tile.querySelector("dd > span"), detail);
    }
    const { cached, input } = totals.counts;
    this.meter.style.width = `${input ? (100 * cached) / input : 0}%`;
    this.element.querySelector(".t-violations").classList.toggle("bad", totals.violations > 0);
    this.element.title = `since ${date(totals.since)}`;
  }
}
