// All sessions, the one used last first: totals, filters, a row each.

import { drawBand, replaceBand } from "./band.js";
import { h, pair, write } from "./dom.js";
import { admitsSession, admitsTurn, FilterForm, isFiltering } from "./filters.js";
import { ago, brief, clock, date, NO_PRICE, percent, plural, usd } from "./format.js";
import { label } from "./models.js";
import { SavedCard } from "./saved.js";
import { Totals } from "./totals.js";
import { IMPLICIT, nameHarness, nameLabel, nameLane, nameSession } from "./words.js";

const STEP = 40;
const POINTER_MS = 2_000;

/** The address of a session's page, beside the one that is open. */
export function addressOf(session, turn) {
  const query = new URLSearchParams({ session: session.session ?? "", ...(session.tenant ? { tenant: session.tenant } : {}) });
  return `inspector?${query}${turn ? `#turn-${turn.n}` : ""}`;
}

/** What marks an id: its label, the kind of session, and its tenant. */
export function badges(session) {
  return [
    nameLabel(session) ? h("span", { class: "badge label", title: "what its client calls the session" }, nameLabel(session)) : null,
    session.session?.startsWith(IMPLICIT) ? h("span", { class: "badge", title: "made from the prompt's beginning, for a request without an id" }, "implicit") : null,
    nameHarness(session) ? h("span", { class: "badge", title: "an agent harness, recognised by its requests" }, nameHarness(session)) : null,
    nameHarness(session) ? h("span", { class: "badge lane", title: "the lane: one line of work within the session" }, nameLane(session)) : null,
    session.tenant ? h("span", { class: "badge tenant", title: "tenant" }, session.tenant) : null,
  ];
}

export const showId = (session) => nameSession(session).replace(IMPLICIT, "").replace(`${nameHarness(session)}·`, "").replace("·", " · ");

class Row {
  constructor(session, list) {
    this.list = list;
    this.band = h("div", {});
    this.model = h("div", { class: "now" });
    this.numbers = h("dl", { class: "numbers" });
    this.time = h("time", {});
    const link = h("a", { class: session.session === null ? "id none" : "id", href: addressOf(session), "data-view": true, title: nameSession(session) }, showId(session));
    this.element = h(
      "li",
      { class: "row" },
      h("div", { class: "who" }, h("h3", {}, link), h("p", { class: "meta" }, badges(session), this.time)),
      h("div", { class: "what" }, this.band, this.model),
      this.numbers,
    );
    this.update(session);
  }

  update(session) {
    this.session = session;
    const { counts, turns } = session;
    const last = turns.at(-1);
    const band = drawBand(session, {
      width: this.list.width,
      admits: (turn) => admitsTurn(this.list.filters, turn),
      open: (turn) => this.list.go(addressOf(session, turn)),
    });
    replaceBand(this.band, band);
    this.band = band;
    const said = [last.route ? `route ${last.route}` : "no route", counts.switches ? plural(counts.switches, "switch", "switches") : null, counts.failures ? plural(counts.failures, "failure") : null];
    this.model.replaceChildren(
      session.session === null ? h("span", {}, "each routed by itself") : label(last.pinned ?? last.model),
      h("span", { class: "said" }, (session.session === null ? said.slice(1) : said).filter(Boolean).join(" · ")),
    );
    this.numbers.replaceChildren(
      pair("turns", brief(counts.turns)),
      pair("tokens", brief(counts.input + counts.output)),
      pair("cached", percent(counts.cached, counts.input)),
      pair("cost", counts.priced ? usd(counts.cost_usd, counts.cost_is_most) : NO_PRICE),
    );
    this.time.setAttribute("datetime", new Date(last.at * 1_000).toISOString());
    this.time.title = date(last.at);
    this.tick();
  }

  tick() {
    const { at } = this.session.turns.at(-1);
    write(this.time, Date.now() / 1_000 - at < 3_600 ? ago(at) : clock(at));
  }
}

function empty() {
  const base = new URL(".", document.baseURI).href;
  const command = `curl ${base}v1/chat/completions \\\n  -H 'Content-Type: application/json' -H 'X-Model-Affinity: my-first-run' \\\n  -d '{"messages": [{"role": "user", "content": "Hello"}]}'`;
  return h(
    "div",
    { class: "empty" },
    h("h3", {}, "No requests yet"),
    h("p", {}, "Send one with an affinity id, twice, and watch it appear here as it happens:"),
    h("pre", { tabindex: "0", "aria-label": "A request to try" }, command),
    h("p", {}, "Or point an agent at this router: every request that carries the same id becomes a block in the same row."),
  );
}

export class ListView {
  constructor(memory, { filters, go, onFilters }) {
    this.memory = memory;
    this.filters = filters;
    this.go = go;
    this.rows = new Map();
    this.limit = STEP;
    this.width = 400;
    this.pointed = 0;
    this.totals = new Totals();
    this.saved = new SavedCard(memory.router);
    this.form = new FilterForm(filters, (changed) => {
      this.filters = changed;
      this.limit = STEP;
      onFilters(changed);
      this.refresh();
    });
    this.heading = h("h2", {}, "Sessions");
    this.legend = h("ul", { class: "legend", "aria-label": "Models" });
    this.list = h("ol", { class: "rows", "aria-label": "Sessions, the one used last first" });
    this.end = h("div", { class: "end" });
    this.element = h(
      "div",
      {},
      h("h1", { class: "lead" }, "Which model served which turn, and why"),
      h("p", { class: "intro" }, "A row is a session, a block is a turn, a colour is a model. A session keeps its model; ", h("span", { class: "sign s-switch", "aria-hidden": "true" }, "⇄"), " marks a switch, ", h("span", { class: "sign s-detour", "aria-hidden": "true" }, "⤳"), " one turn that another model served. ", h("span", { class: "by-pointer" }, "Point at a block, or move to it with the arrow keys, to see why."), h("span", { class: "by-touch" }, "Tap a block to see why."), memory.router.observe ? " The stripe at a block's foot is the model that would have served the turn without affinity; a bar at its left marks what would have been a switch." : ""),
      this.totals.element,
      this.saved.element,
      this.form.element,
      h("div", { class: "listhead" }, this.heading, this.legend),
      this.list,
      this.end,
    );
    this.list.addEventListener("pointermove", () => (this.pointed = Date.now()), { passive: true });
    this.more = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && this.extend(), { rootMargin: "600px" });
    this.more.observe(this.end);
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.list);
    this.ticking = setInterval(() => this.rows.forEach((row) => row.tick()), 5_000);
  }

  get title() {
    return "Inspector · plano-agents";
  }

  close() {
    this.saved.close();
    this.more.disconnect();
    this.sizes.disconnect();
    clearInterval(this.ticking);
  }

  measure() {
    const sample = this.list.querySelector(".what");
    const width = sample ? sample.clientWidth : this.width;
    if (Math.abs(width - this.width) < 2) return;
    this.width = width;
    this.refresh();
  }

  extend() {
    if (this.rows.size < this.limit) return;
    this.limit += STEP;
    this.arrange();
  }

  /** Show everything anew. */
  refresh() {
    for (const [key, row] of this.rows) {
      const session = this.memory.sessions.get(key);
      if (session) row.update(session);
    }
    this.update(new Set());
    this.arrange();
  }

  /** Show what changed. */
  update(changed) {
    const { memory } = this;
    if (memory.totals) {
      this.totals.update(memory.totals, memory.router.has_prices);
      this.saved.update(memory.totals);
    }
    this.form.offer([...memory.models, ...memory.router.models.filter((name) => !name.endsWith("/*"))], memory.routes);
    this.showLegend();
    for (const key of changed) {
      const session = memory.sessions.get(key);
      if (session) this.rows.get(key)?.update(session);
    }
    // Rows stay where they are for as long as somebody points at them, or is among them with the keyboard.
    if (this.list.querySelector(":focus-visible") || Date.now() - this.pointed < POINTER_MS) setTimeout(() => this.arrange(), POINTER_MS);
    else this.arrange();
  }

  showLegend() {
    const models = [...this.memory.models].sort();
    if (models.join("\n") === this.legend.dataset.models) return;
    this.legend.dataset.models = models.join("\n");
    this.legend.replaceChildren(...models.map((name) => h("li", {}, label(name))));
  }

  arrange() {
    if (this.list.querySelector(":focus-visible")) return;
    const found = this.memory.list((session) => admitsSession(this.filters, session));
    const all = this.memory.sessions.size;
    write(this.heading, isFiltering(this.filters) ? `Sessions (${found.length} of ${all})` : "Sessions");
    const wanted = found.slice(0, this.limit);
    const keys = new Set(wanted.map((session) => session.key));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.element.remove();
      this.rows.delete(key);
    }
    wanted.forEach((session, index) => {
      if (!this.rows.has(session.key)) this.rows.set(session.key, new Row(session, this));
      const { element } = this.rows.get(session.key);
      if (this.list.children[index] !== element) this.list.insertBefore(element, this.list.children[index] ?? null);
    });
    const state = wanted.length ? "" : all ? "none" : "empty";
    if (this.end.dataset.state !== state) {
      this.end.dataset.state = state;
      this.end.replaceChildren(...(state === "empty" ? [empty()] : state === "none" ? [h("p", { class: "empty" }, "No session matches these filters.")] : []));
    }
    this.measure();
  }
}
