// The page: what is asked, what is watched, and which view shows it. The address says which: all sessions, or one
// (`?session=<id>&tenant=<tenant>`; an empty id is the requests without one).

import { ask, keepToken, Refused, watch } from "./api.js";
import { h, write } from "./dom.js";
import { isFiltering, readFilters, writeFilters } from "./filters.js";
import { brief, count, plural } from "./format.js";
import { ListView } from "./list.js";
import { keyOf, Memory } from "./memory.js";
import { SessionView } from "./session.js";
import * as tip from "./tip.js";
import { nameSession } from "./words.js";

const DRAW_MS = 120;
const RESET_MS = 2_000;

const memory = new Memory();
const changed = new Set();
const main = document.getElementById("main");
let view = null;
let isPaused = false;
let drawing = 0;
let watching = new AbortController();
let unseen = 0;

const states = { connecting: "Connecting", live: "Live", away: "Reconnecting", paused: "Paused", closed: "Not connected" };

function say(state) {
  const element = document.getElementById("state");
  element.dataset.state = state;
  write(element, states[state]);
}

function show(next) {
  tip.hide();
  view?.close();
  view = next;
  document.title = next.title ?? "Inspector";
  document.getElementById("view").replaceChildren(next.element);
  next.refresh?.();
}

/** Show a message in place of the sessions. */
const tell = (title, ...content) => show({ element: h("div", { class: "notice" }, h("h1", {}, title), ...content), close: () => {} });

/** Show what the address names. */
async function navigate() {
  const parameters = new URLSearchParams(location.search);
  if (!parameters.has("session")) {
    const onFilters = (filters) => history.replaceState(null, "", isFiltering(filters) ? `inspector?${writeFilters(filters)}` : "inspector");
    show(new ListView(memory, { filters: readFilters(parameters), go, onFilters }));
    return;
  }
  const named = { session: parameters.get("session") || null, tenant: parameters.get("tenant") ?? "" };
  try {
    const known = memory.sessions.get(keyOf(named)) ?? memory.take(await ask("session", { id: named.session, tenant: named.tenant }));
    show(new SessionView(memory, known));
    if (location.hash) view.open(location.hash.slice("#turn-".length).replace(/\D/g, ""));
  } catch (error) {
    if (error.status !== 404) return refuse(error);
    tell(nameSession(named), h("p", {}, error.message), h("p", {}, h("a", { href: "inspector", "data-view": true }, "← All sessions")));
  }
}

async function go(address) {
  history.pushState(null, "", address);
  await navigate();
  if (!location.hash) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

/** Draw what changed, in a moment. */
function draw() {
  if (drawing || isPaused) return;
  drawing = setTimeout(() => {
    drawing = 0;
    requestAnimationFrame(() => {
      const now = new Set(changed);
      changed.clear();
      view?.update?.(now);
    });
  }, DRAW_MS);
}

/** Read out what an operator would want to hear of. */
function announce(turns) {
  const switched = turns.filter((turn) => turn.decision === "switch");
  if (switched.length === 0) return;
  const last = switched.at(-1);
  const more = switched.length > 1 ? `, and ${plural(switched.length - 1, "other")}` : "";
  write(document.getElementById("said"), `${last.session} switched to ${last.model}: ${last.reason}${more}`);
}

function hear(name, data) {
  if (name === "away") say("away");
  if (name === "open") say(isPaused ? "paused" : "live");
  if (name === "reset") setTimeout(start, RESET_MS);
  if (name !== "turns") return;
  memory.totals = data.totals;
  for (const turn of data.turns) {
    const session = memory.hear(turn);
    if (session) changed.add(session.key);
  }
  for (const mark of data.ghosts) {
    const session = memory.hearGhost(mark);
    if (session) changed.add(session.key);
  }
  if (isPaused) sayPaused(data.turns.length);
  announce(data.turns);
  draw();
}

/** Ask for the older sessions too, a page at a time. */
async function fetchOlder(next, signal) {
  for (let before = next; before !== null && !signal.aborted; ) {
    const page = await ask("sessions", { before });
    for (const session of page.sessions) changed.add(memory.take(session).key);
    before = page.next;
    draw();
  }
}

/** Ask for everything, show it, and watch from there. */
async function start() {
  watching.abort();
  watching = new AbortController();
  const { signal } = watching;
  say("connecting");
  try {
    const [router, page] = await Promise.all([ask("router"), ask("sessions")]);
    if (signal.aborted) return;
    memory.begin(router);
    memory.totals = page.totals;
    for (const session of page.sessions) memory.take(session);
    introduce(router);
    await navigate();
    fetchOlder(page.next, signal).catch(() => {});
    await watch(page.event, signal, hear);
  } catch (error) {
    if (!signal.aborted) refuse(error);
  }
}

/** Say which router this is, and what it remembers. */
function introduce(router) {
  const who = router.workers > 1 ? `All ${router.workers} workers' requests` : "This router's requests";
  const shared = router.is_shared ? " Pins are shared with other routers through Redis; their requests are on their own pages." : "";
  write(
    document.getElementById("foot"),
    `${who} since it started: the latest ${count(router.max_sessions)} sessions, ${count(router.max_turns)} turns of each, ${count(router.max_records)} in all; nothing of a prompt.${shared} plano-agents ${router.version}`,
  );
}

/** Say why nothing is shown, and what to do. */
function refuse(error) {
  say("closed");
  if (!(error instanceof Refused)) {
    tell("The router does not answer", h("p", {}, String(error.message)), h("button", { type: "button", onclick: start }, "Try again"));
    return;
  }
  if (error.status !== 401) {
    const isForeign = error.status === 403;
    const wayOut = isForeign ? [h("p", {}, "Where a token is set, this page asks for it.")] : [];
    tell(isForeign ? "For operators only" : "The router refused", h("p", {}, error.message), ...wayOut, h("button", { type: "button", onclick: start }, "Try again"));
    return;
  }
  const field = h("input", { type: "password", name: "token", autocomplete: "off", required: true, "aria-describedby": "token-hint" });
  const submit = (submitted) => {
    submitted.preventDefault();
    keepToken(field.value.trim());
    start();
  };
  tell(
    "The admin token, please",
    h("p", { id: "token-hint" }, "It is admin_token in plano-agents.yaml. It stays in this tab, until the tab is closed, and is sent to this router alone."),
    h("form", { class: "token", onsubmit: submit }, h("label", { class: "field wide" }, h("span", {}, "Admin token"), field), h("button", { type: "submit" }, "Open")),
    h("p", { class: "hint", role: "alert" }, refuse.wasAsked ? error.message : ""),
  );
  refuse.wasAsked = true;
  field.focus();
}

/** Count what happened since the page was paused. */
function sayPaused(more) {
  unseen += more;
  write(document.getElementById("pause"), unseen ? `Resume, ${brief(unseen)} new` : "Resume");
}

document.getElementById("pause").addEventListener("click", ({ currentTarget }) => {
  isPaused = !isPaused;
  unseen = 0;
  currentTarget.setAttribute("aria-pressed", String(isPaused));
  if (isPaused) sayPaused(0);
  else write(currentTarget, "Pause");
  say(isPaused ? "paused" : "live");
  draw();
});

document.addEventListener("click", (click) => {
  const link = click.target.closest?.("a[data-view]");
  if (!link || click.button !== 0 || click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
  click.preventDefault();
  go(link.getAttribute("href"));
});

addEventListener("popstate", () => memory.router && navigate());
tip.prepare();
start();
