// One session: its pin, what it came to, when and why its model changed, and every turn that is remembered.

import { dropPin, findPin } from "./api.js";
import { drawBand, replaceBand } from "./band.js";
import { h, pair, write } from "./dom.js";
import { brief, clock, count, date, ms, NO_PRICE, percent, plural, UNKNOWN, usd } from "./format.js";
import { badges, showId } from "./list.js";
import { label } from "./models.js";
import { figures, ghost, scores, sendings } from "./tip.js";
import { conclude, decide, explain, hasFailed } from "./words.js";

const ASK_AGAIN_MS = 5_000;

/** The median of turns' times to decide; null where none has one. */
function median(turns) {
  const times = turns.map((turn) => turn.routing_ms).filter((time) => time !== undefined).sort((one, other) => one - other);
  const middle = times.length / 2;
  return times.length ? (times[Math.ceil(middle) - 1] + times[Math.floor(middle)]) / 2 : null;
}

/** The moments at which the model was decided, changed, or failed, with the turns between them. */
function tell(session) {
  const moments = [];
  session.turns.forEach((turn, index) => {
    const last = moments.at(-1);
    if (last && turn.decision === "retain" && !hasFailed(turn) && !hasFailed(last.turn)) last.kept += 1;
    else moments.push({ turn, number: session.counts.turns - session.turns.length + index + 1, kept: 0 });
  });
  return moments;
}

function drawMoment({ turn, number, kept }) {
  return h(
    "li",
    { class: `moment d-${hasFailed(turn) ? "refused" : (turn.decision ?? "refused")}` },
    h("p", { class: "head" }, h("time", { title: date(turn.at) }, clock(turn.at)), h("span", { class: `badge d-${turn.decision ?? "refused"}` }, decide(turn)), label(turn.model)),
    h("p", { class: "why" }, `Turn ${number}. ${explain(turn)}`, turn.route && turn.decision !== "retain" ? ` Route ${turn.route}.` : "", hasFailed(turn) ? ` The client was told ${conclude(turn)}.` : ""),
    sendings(turn),
    kept ? h("p", { class: "kept" }, `then ${plural(kept, "turn")} kept on it`) : null,
  );
}

function drawTurn(turn, number) {
  const failed = hasFailed(turn) || turn.client_left;
  const body = h("div", { class: "body" });
  const details = h(
    "details",
    { class: "turn", id: `turn-${turn.n}` },
    h(
      "summary",
      {},
      h("span", { class: "number" }, h("span", { class: "unseen" }, "Turn "), count(number)),
      label(turn.model),
      h("span", { class: `badge d-${turn.decision ?? "refused"}` }, decide(turn)),
      h("span", { class: failed ? "end bad" : "end" }, failed ? conclude(turn) : ms(turn.duration_ms)),
      h("span", { class: "spent" }, `${brief((turn.input ?? 0) + (turn.output ?? 0))} tokens`),
      h("time", { title: date(turn.at) }, clock(turn.at)),
    ),
    body,
  );
  details.addEventListener("toggle", () => {
    if (!details.open || body.firstChild) return;
    body.append(
      h("p", { class: "why" }, explain(turn)),
      scores(turn) ?? "",
      sendings(turn) ?? "",
      ghost(turn) ?? "",
      h("dl", { class: "figures" }, figures(turn), pair("Route", turn.route ?? "none"), pair("Endpoint", turn.path), pair("Answer", conclude(turn)), pair("Trace id", h("code", {}, turn.trace_id))),
    );
  });
  return details;
}

export class SessionView {
  constructor(memory, session) {
    this.memory = memory;
    this.session = session;
    this.isGroup = session.session === null;
    this.drawn = 0;
    this.pinCard = h("dl", { class: "figures" });
    this.pinSaid = h("p", { class: "why" });
    this.sums = h("dl", { class: "figures" });
    this.ghosts = h("dl", { class: "figures" });
    this.ghostCard = h("section", { class: "card", "aria-label": "Without affinity", hidden: true }, h("div", { class: "cardhead" }, h("h2", {}, "Without affinity")), this.ghosts, h("p", { class: "hint" }, "Of the turns that were routed beside their requests; nothing is estimated. A switch is taken to find a cold cache."));
    this.band = h("div", {});
    this.width = 400;
    this.moments = h("ol", { class: "moments" });
    this.turns = h("div", { class: "turns" });
    this.bound = h("p", { class: "hint" });
    this.said = h("p", { class: "hint", role: "status" });
    this.drop = h("button", { type: "button", class: "danger", onclick: () => this.dialog.showModal() }, "Drop the pin");
    this.dialog = this.#buildDialog();
    this.element = h(
      "div",
      { class: "session" },
      h("p", {}, h("a", { class: "back", href: "inspector", "data-view": true }, "← All sessions")),
      h("h1", { class: "name" }, showId(session)),
      h("p", { class: "meta" }, badges(session), h("span", {}, `since ${date(session.first_at)}`)),
      h("div", { class: "cards" }, this.isGroup ? null : h("section", { class: "card", "aria-label": "Pin" }, h("div", { class: "cardhead" }, h("h2", {}, "Pin"), this.drop), this.pinCard, this.pinSaid, this.said), h("section", { class: "card", "aria-label": "Total" }, h("div", { class: "cardhead" }, h("h2", {}, "Total")), this.sums), this.ghostCard),
      h("section", { class: "card" }, h("h2", {}, "Turns"), this.band),
      this.isGroup ? null : h("section", { class: "card" }, h("h2", {}, "Model history"), this.moments),
      h("section", { class: "card" }, h("h2", {}, "All turns, latest first"), this.turns, this.bound),
      this.dialog,
    );
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.turns);
    if (!this.isGroup) {
      this.ask();
      this.asking = setInterval(() => document.visibilityState === "visible" && this.ask(), ASK_AGAIN_MS);
    }
  }

  get title() {
    return `${showId(this.session)} · Inspector`;
  }

  close() {
    this.sizes.disconnect();
    clearInterval(this.asking);
  }

  #buildDialog() {
    const confirm = h("button", { type: "button", class: "danger" }, "Drop the pin");
    const dialog = h(
      "dialog",
      { "aria-labelledby": "drop-title" },
      h("h2", { id: "drop-title" }, "Drop this session's pin?"),
      h("p", {}, "Its next request is routed anew and may get another model. Requests in flight are not cut."),
      h("div", { class: "actions" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Keep it"), confirm),
    );
    confirm.addEventListener("click", async () => {
      dialog.close();
      try {
        const was = await dropPin(this.session);
        write(this.said, was ? "Dropped. The next request is routed anew." : "There was no live pin any more.");
      } catch (error) {
        write(this.said, error.message);
      }
      this.ask();
    });
    return dialog;
  }

  /** Ask for the pin as it is now. */
  async ask() {
    let pin;
    try {
      pin = await findPin(this.session);
    } catch (error) {
      write(this.pinSaid, error.message);
      return;
    }
    this.drop.disabled = !pin;
    write(this.pinSaid, pin ? `Because ${pin.why}.${pin.degraded ? " The shared store does not answer: this is one router's memory." : ""}` : "No live pin: it ended by idle time, or was dropped. The next request is routed anew.");
    this.pinCard.replaceChildren(
      pair("Model", pin ? label(pin.model) : UNKNOWN),
      ...(pin?.deployment ? [pair("Deployment", pin.deployment)] : []),
      pair("Route", pin?.route ?? UNKNOWN),
      pair("Expires in", pin ? ms(pin.seconds_left * 1_000) : UNKNOWN),
      pair("In flight", pin ? count(pin.requests_in_flight) : UNKNOWN),
    );
  }

  refresh() {
    this.update(new Set([this.session.key]));
  }

  update(changed) {
    if (!changed.has(this.session.key)) return;
    this.session = this.memory.sessions.get(this.session.key) ?? this.session;
    const { counts, turns } = this.session;
    this.sums.replaceChildren(
      pair("Turns", count(counts.turns)),
      pair("Switches", count(counts.switches)),
      pair("Failures", count(counts.failures)),
      pair("Routing, first turn", ms(median(turns.filter((turn) => turn.strategy)))),
      pair("Routing, later turns", ms(median(turns.filter((turn) => !turn.strategy)))),
      pair("Upstream", ms(counts.upstream_ms)),
      pair("Prompt", brief(counts.input)),
      pair("Cached", percent(counts.cached, counts.input)),
      pair("Output", brief(counts.output)),
      pair("Cost", counts.priced ? usd(counts.cost_usd, counts.cost_is_most) : NO_PRICE),
    );
    this.#showGhosts(counts.ghosts);
    this.#drawBand();
    this.moments.replaceChildren(...tell(this.session).map(drawMoment));
    const first = counts.turns - turns.length + 1;
    turns.forEach((turn, index) => {
      if (turn.n > this.drawn) this.turns.prepend(drawTurn(turn, first + index));
    });
    this.drawn = turns.at(-1)?.n ?? 0;
    while (this.turns.children.length > turns.length) this.turns.lastChild.remove();
    write(this.bound, first > 1 ? `The ${plural(first - 1, "turn")} before are counted and no longer kept.` : "");
    if (!this.isGroup && this.drawn) this.ask();
  }

  #drawBand() {
    const band = drawBand(this.session, { width: this.width, wraps: true, open: (turn) => this.open(turn.n) });
    replaceBand(this.band, band);
    this.band = band;
  }

  /** Draw the band anew where its card has another width. */
  measure() {
    const width = this.band.clientWidth;
    if (!width || Math.abs(width - this.width) < 2) return;
    this.width = width;
    this.#drawBand();
  }

  #showGhosts({ routed, compared, switches, input, anew, routing_ms: routing, priced, kept_usd: kept, usd: without }) {
    this.ghostCard.hidden = !routed;
    this.ghosts.replaceChildren(
      pair("Routed beside", count(routed)),
      pair("Would-be switches", compared ? count(switches) : UNKNOWN),
      pair("Read anew", input ? `${brief(anew)} of ${brief(input)}` : UNKNOWN),
      pair("Routing", ms(routing)),
      pair("List price", priced ? usd(without) : UNKNOWN),
      pair("As served", priced ? usd(kept) : UNKNOWN),
    );
  }

  /** Unfold a turn, and go there. */
  open(number) {
    const turn = this.element.querySelector(`#turn-${number}`);
    if (!turn) return;
    turn.open = true;
    turn.scrollIntoView({ block: "center" });
    turn.querySelector("summary").focus({ preventScroll: true });
  }
}
