// What the page knows: the router's history as it was asked for, and what came since; bounded as the router's is.

import { place } from "./models.js";
import { hasFailed, wouldSwitch } from "./words.js";

export const keyOf = (session) => JSON.stringify([session.tenant, session.session]);

const SUMS = ["routing_ms", "upstream_ms", "input", "output", "cached"];

/** Count one more turn, as the router does. */
function add(counts, turn) {
  counts.turns += 1;
  counts.switches += turn.decision === "switch";
  counts.failures += hasFailed(turn);
  for (const name of SUMS) counts[name] += turn[name] ?? 0;
  if (turn.strategy) {
    counts.routed += 1;
    counts.routed_ms += turn.routing_ms ?? 0;
  }
  if (turn.cost_usd !== undefined) {
    counts.priced += 1;
    counts.cost_usd += turn.cost_usd;
    counts.cost_is_most ||= Boolean(turn.cost_is_most);
  }
}

const noGhosts = () => ({ routed: 0, compared: 0, switches: 0, input: 0, anew: 0, routing_ms: 0, priced: 0, kept_usd: 0, usd: 0 });

/** Count one more turn that was routed beside, as the router does. */
function addGhost(counts, ghost) {
  counts.routed += 1;
  counts.compared += ghost.before !== undefined;
  counts.switches += wouldSwitch(ghost);
  for (const name of ["input", "anew", "routing_ms"]) counts[name] += ghost[name] ?? 0;
  if (ghost.usd !== undefined) {
    counts.priced += 1;
    counts.kept_usd += ghost.kept_usd;
    counts.usd += ghost.usd;
  }
}

/** What a session can be found by. */
function note(facets, turn) {
  if (turn.model) facets.models.add(turn.model);
  facets.decisions.add(turn.decision ?? "refused");
  if (turn.route) facets.routes.add(turn.route);
  facets.hasSwitched ||= turn.decision === "switch";
  facets.hasFailed ||= hasFailed(turn);
}

const noFacets = () => ({ models: new Set(), decisions: new Set(), routes: new Set(), hasSwitched: false, hasFailed: false });

export class Memory {
  constructor() {
    this.sessions = new Map();
    this.totals = null;
    this.router = null;
    this.models = new Set();
    this.routes = new Set();
  }

  /** Begin anew with a router's introduction. */
  begin(router) {
    this.router = router;
    this.sessions.clear();
    place(router.models.filter((name) => !name.endsWith("/*")));
    router.preferences.forEach((name) => this.routes.add(name));
  }

  /** Take a session as the router told it; what came since by the stream stays. */
  take(told) {
    const known = this.sessions.get(keyOf(told));
    if (known && known.last >= told.turns.at(-1).n) return known;
    const session = { ...told, key: keyOf(told), last: told.turns.at(-1).n, facets: noFacets() };
    for (const turn of session.turns) this.#note(session, turn);
    this.sessions.set(session.key, session);
    return session;
  }

  /** Take one turn as it happened; give its session, or null where it was known. */
  hear(turn) {
    const key = keyOf(turn);
    let session = this.sessions.get(key);
    if (!session) {
      const counts = { turns: 0, switches: 0, failures: 0, routed: 0, routing_ms: 0, routed_ms: 0, upstream_ms: 0 };
      Object.assign(counts, { input: 0, output: 0, cached: 0, cost_usd: 0, priced: 0, cost_is_most: false, ghosts: noGhosts() });
      session = { tenant: turn.tenant, session: turn.session, first_at: turn.at, counts, turns: [], key, last: 0, facets: noFacets() };
    }
    if (turn.n <= session.last) return null;
    session.last = turn.n;
    session.turns.push(turn);
    if (session.turns.length > this.router.max_turns) session.turns.shift();
    add(session.counts, turn);
    this.#note(session, turn);
    this.sessions.delete(key);
    this.sessions.set(key, session);
    if (this.sessions.size > this.router.max_sessions) this.sessions.delete(this.sessions.keys().next().value);
    return session;
  }

  /** Take a turn's ghost, which comes after it; give its session, or null where the turn is not known. */
  hearGhost({ tenant, session: id, turn: number, ghost }) {
    const session = this.sessions.get(keyOf({ tenant, session: id }));
    const turn = session?.turns.findLast((each) => each.n === number);
    if (!turn || turn.ghost) return null;
    turn.ghost = ghost;
    addGhost(session.counts.ghosts, ghost);
    this.models.add(ghost.model);
    return session;
  }

  #note(session, turn) {
    note(session.facets, turn);
    if (turn.model) this.models.add(turn.model);
    if (turn.ghost) this.models.add(turn.ghost.model);
    if (turn.route) this.routes.add(turn.route);
  }

  /** The sessions that filters let through, the one used last first. */
  list(admits) {
    return [...this.sessions.values()].filter(admits).sort((one, other) => other.last - one.last);
  }
}
