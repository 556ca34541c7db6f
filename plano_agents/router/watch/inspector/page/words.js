// What was decided, in a sentence, as docs/affinity.md has it.

const WHY = {
  none: "No affinity id: routed by itself, nothing is remembered.",
  first_turn: "The session's first turn: routed, and pinned to this model.",
  hint: "Pinned without routing to the model that made the transcript (hint).",
  pinned: "Kept on the pinned model; routing was skipped.",
  deployment: "Kept on the pinned model; another of its deployments served it.",
  upstream_failed: "The pinned model failed for good; this one answered, and the pin moved to it.",
  detour: "The pinned model cannot serve this one request; another did, and the pin stays.",
  unsuitable: "The pinned model cannot serve this request; the pin moved to one that can.",
  model_removed: "The pinned model left the configuration; routed and pinned anew.",
  user_turn: "A new user message, whose scope is a user turn, was routed elsewhere; the pin moved.",
};

const DEGRADED = {
  store: "The shared store did not answer: decided by this router's own memory.",
  routing: "The routing model did not answer: the embedded one decided.",
};

export const hasFailed = (turn) => Boolean(turn.failure) || (turn.status ?? 0) >= 400;

/** Whether a ghost, a turn without affinity, would have been a switch. */
export const wouldSwitch = (ghost) => ghost.before !== undefined && ghost.before !== ghost.model;

/** Say what a turn would have been without affinity. */
export function explainGhost(ghost) {
  if (ghost.before === undefined) return "The transcript does not hold the turn before, so it is not known whether this would have been a switch.";
  if (!wouldSwitch(ghost)) return "The same model as for the turn before: no switch.";
  return `A switch: the turn before would have been ${ghost.before}'s.`;
}

/** Say why a turn was served by its model. */
export function explain(turn) {
  if (!turn.decision) return "Refused before a model was decided on.";
  const why = WHY[turn.decision === "detour" ? "detour" : (turn.reason ?? turn.decision)] ?? `${turn.decision}: ${turn.reason}.`;
  const because = turn.because ? `Because: ${turn.because}.` : null;
  const pinned = turn.pinned ? `Pinned: ${turn.pinned}.` : null;
  return [why, because, pinned, ...(turn.degraded ?? []).map((each) => DEGRADED[each])].filter(Boolean).join(" ");
}

/** Name the decision and its reason. */
export const decide = (turn) =>
  turn.decision ? [turn.decision, turn.reason].filter(Boolean).join(" · ") : "refused";

/** Say how a turn ended. */
export function conclude(turn) {
  if (turn.failure) return `${turn.status ?? ""} ${turn.failure}`.trim();
  if (turn.client_left) return "the client left";
  if (turn.status === undefined || turn.status === null) return "no answer";
  return `${turn.status}${turn.streams ? ", streamed" : ""}`;
}

/** Name a session, or the group of requests without one. */
/** What a session's client calls it, as its latest turn that says so has it; null for nothing. */
export const nameLabel = (session) => session.session === null ? null : (session.turns.findLast((turn) => turn.label)?.label ?? null);

export const nameSession = (session) => session.session ?? "Requests without a session";

/** Name the harness whose lane a session is: its key is the harness, the session and the lane, which no client can send. */
export const nameHarness = (session) => {
  const parts = session.session?.split("·") ?? [];
  return parts.length === 3 ? parts[0] : null;
};

/** Name a lane of a harness' session, without the model that it asks for: main, side, or a sub-agent. */
export const nameLane = (session) => {
  const [kind, agent] = session.session.split("·")[2].split("/");
  return kind.startsWith("agent") ? `${kind}/${agent}` : kind;
};

/** The mark of an implicit session's id, which no client can send. */
export const IMPLICIT = "implicit·";
