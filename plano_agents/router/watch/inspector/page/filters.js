// Which sessions are shown: by model, decision, route, a part of the id, and by what happened. Kept in the address, so
// that what is seen can be shared.

import { h } from "./dom.js";
import { hasFailed, nameLabel } from "./words.js";

const DECISIONS = ["initialize", "retain", "detour", "switch", "none", "refused"];

/** Read the filters from an address. */
export function readFilters(parameters) {
  return {
    text: parameters.get("text") ?? "",
    model: parameters.get("model") ?? "",
    decision: parameters.get("decision") ?? "",
    route: parameters.get("route") ?? "",
    switches: parameters.has("switches"),
    failures: parameters.has("failures"),
  };
}

/** Write the filters into an address's query. */
export function writeFilters(filters) {
  const given = Object.entries(filters).filter(([, value]) => value);
  return new URLSearchParams(given.map(([name, value]) => [name, value === true ? "1" : value])).toString();
}

export const isFiltering = (filters) => Object.values(filters).some(Boolean);

/** Whether a session is meant. */
export function admitsSession(filters, session) {
  const { facets } = session;
  const text = filters.text.toLowerCase();
  return (
    (!filters.model || facets.models.has(filters.model)) &&
    (!filters.decision || facets.decisions.has(filters.decision)) &&
    (!filters.route || facets.routes.has(filters.route)) &&
    (!filters.switches || facets.hasSwitched) &&
    (!filters.failures || facets.hasFailed) &&
    (!text || (session.session ?? "").toLowerCase().includes(text) || session.tenant.toLowerCase().includes(text) || (nameLabel(session) ?? "").toLowerCase().includes(text))
  );
}

/** Whether a turn is one that the filters mean. */
export function admitsTurn(filters, turn) {
  return (
    (!filters.model || turn.model === filters.model) &&
    (!filters.decision || (turn.decision ?? "refused") === filters.decision) &&
    (!filters.route || turn.route === filters.route) &&
    (!filters.failures || hasFailed(turn)) &&
    (!filters.switches || turn.decision === "switch")
  );
}

function choose(name, text, all) {
  const select = h("select", { name }, h("option", { value: "" }, all));
  return h("label", { class: "field" }, h("span", {}, text), select);
}

/** Offer what there is to choose; a choice that is not among it stays. */
function offer(select, values) {
  const wanted = [...new Set([...values, select.dataset.kept].filter(Boolean))].sort();
  const there = [...select.options].slice(1).map((option) => option.value);
  if (wanted.join("\n") === there.join("\n")) return;
  const value = select.value || select.dataset.kept;
  select.replaceChildren(select.options[0], ...wanted.map((each) => h("option", { value: each }, each)));
  select.value = value ?? "";
}

/** The form; `on` is called with the filters after each change. */
export class FilterForm {
  constructor(filters, on) {
    this.more = h("button", { type: "button", class: "quiet more", "aria-expanded": "false", onclick: () => this.unfold() }, "Filters");
    this.element = h(
      "form",
      { class: "filters", role: "search", "aria-label": "Filter sessions", onsubmit: (event) => event.preventDefault() },
      h("label", { class: "field wide" }, h("span", {}, "Find"), h("input", { type: "search", name: "text", placeholder: "id, label or tenant", autocomplete: "off", spellcheck: "false" })),
      this.more,
      choose("model", "Model", "all models"),
      choose("decision", "Decision", "all decisions"),
      choose("route", "Route", "all routes"),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "switches" }), "Only switches"),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "failures" }), "Only failures"),
      h("button", { type: "reset", class: "quiet" }, "Reset"),
    );
    offer(this.element.elements.decision, DECISIONS);
    this.write(filters);
    this.element.addEventListener("input", () => on(this.read()));
    this.element.addEventListener("reset", () => {
      for (const select of this.element.querySelectorAll("select")) delete select.dataset.kept;
      setTimeout(() => on(this.read())); // once the fields are empty
    });
  }

  /** On a narrow screen, show or hide all but the first field. */
  unfold() {
    this.more.setAttribute("aria-expanded", String(this.element.classList.toggle("open")));
  }

  offer(models, routes) {
    offer(this.element.elements.model, models);
    offer(this.element.elements.route, routes);
  }

  read() {
    const { text, model, decision, route, switches, failures } = this.element.elements;
    for (const select of [model, decision, route]) select.dataset.kept = select.value;
    return { text: text.value.trim(), model: model.value, decision: decision.value, route: route.value, switches: switches.checked, failures: failures.checked };
  }

  write(filters) {
    const { elements } = this.element;
    elements.text.value = filters.text;
    for (const name of ["model", "decision", "route"]) {
      elements[name].dataset.kept = filters[name];
      elements[name].value = filters[name];
    }
    elements.switches.checked = filters.switches;
    elements.failures.checked = filters.failures;
  }
}
