// What affinity saved: estimates for all pinned turns, from those that were routed beside their requests, with their margin.

import { askReport } from "./api.js";
import { h, pair, write } from "./dom.js";
import { brief, count, ms, percent, plural, UNKNOWN, usd } from "./format.js";

const ASK_AGAIN_MS = 10_000;

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

/** Dollars that may be less than none. */
const dollars = (value) => (value < 0 ? `-${usd(-value)}` : usd(value));

const part = (value) => `${(100 * value).toFixed(1)} %`;

/** An estimate, and below it its margin. */
function estimate(term, figure, show, ...details) {
  const { estimate: value, low, high, is_rough: isRough } = figure;
  const margin = low === null ? "no margin yet" : low === high ? "exact" : `${show(low)} to ${show(high)}${isRough ? ", roughly" : ""}`;
  return pair(term, h("b", {}, show(value)), h("span", {}, [margin, ...details].join("; ")));
}

function tell({ basis, sampled, estimated }) {
  return [
    estimate("Would-be switches", estimated.switch_share, part, `${brief(Math.round(estimated.would_be_switches.estimate))} of ${plural(basis.pinned_turns, "turn")}`),
    estimate("Prompt tokens read anew", estimated.tokens_read_anew, (value) => brief(Math.round(value)), `${percent(sampled.tokens_read_anew, sampled.prompt_tokens)} of prompts`),
    basis.priced ? estimate("Saved at list price", estimated.usd_saved, dollars, `${usd(sampled.usd_with_affinity)} instead of ${usd(sampled.usd_without_affinity)} in ${plural(basis.priced, "turn")}`) : pair("Saved at list price", h("b", {}, UNKNOWN), h("span", {}, "no list price is known")),
    estimate("Routing time", estimated.routing_ms, ms, `${ms(sampled.routing_ms / basis.routed)} each`),
  ];
}

/** Say what it rests on. */
function found({ basis, began_at: began, confidence, days, degraded, observe }) {
  const since = days.length ? `since ${day.format(new Date(days[0].day))}` : "";
  if (!basis.routed) return `No pinned turn was routed beside its request yet; ${part(observe)} of them are.`;
  const where = degraded ? ", by one process while the session store does not answer" : began ? ", by this router since it started" : ", by all routers that share the session store";
  return `Rests on ${count(basis.routed)} of ${plural(basis.pinned_turns, "pinned turn")}, routed beside their requests ${since}${where}. ${confidence * 100} of 100 such samples keep these margins. A switch is taken to find a cold cache, and what is not known to save nothing.`;
}

/** The card; it asks for the report by itself, when there is news. */
export class SavedCard {
  constructor(router) {
    this.figures = h("dl", {});
    this.basis = h("p", { class: "hint" }, " ");
    this.element = h("section", { class: "saved", "aria-label": "What affinity saved", hidden: !router.observe }, h("h2", {}, "What affinity saved"), this.figures, this.basis);
    this.routed = null;
    this.asking = 0;
  }

  close() {
    clearTimeout(this.asking);
  }

  /** Ask again, in a moment, if turns were routed beside since. */
  update(totals) {
    const { routed } = totals.counts.ghosts;
    if (this.element.hidden || this.asking || this.routed === routed) return;
    this.asking = setTimeout(() => this.ask(routed), this.routed === null ? 0 : ASK_AGAIN_MS);
  }

  async ask(routed) {
    try {
      const report = await askReport();
      this.figures.replaceChildren(...(report.estimated ? tell(report) : []));
      write(this.basis, found(report));
    } catch (error) {
      write(this.basis, error.message);
    }
    this.routed = routed;
    this.asking = 0;
  }
}
