// The router's answers. The admin token, where one is needed, is kept for this tab alone and sent in a header: no
// other site's page can send it, so none can act through the reader's browser.

const TOKEN = "plano-admin-token";
const SILENCE_MS = 40_000;

export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);

/** An answer that is not what was asked for. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function send(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => null);
  if (answer.status === 401) sessionStorage.removeItem(TOKEN);
  throw new Refused(answer.status, told?.error?.message ?? `The router answered ${answer.status}.`);
}

/** Ask the inspector. */
export async function ask(name, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null));
  return (await send(`inspector/api/${name}?${query}`)).json();
}

/** Ask for the report of what affinity saved. */
export async function askReport() {
  return (await send("report")).json();
}

const pin = (session) =>
  `affinity/${encodeURIComponent(session.session)}?${new URLSearchParams({ tenant: session.tenant })}`;

/** Explain a session's pin; null where there is none. */
export async function findPin(session) {
  try {
    return await (await send(pin(session))).json();
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

/** Drop a session's pin; say whether there was one. */
export async function dropPin(session) {
  try {
    await send(pin(session), { method: "DELETE" });
    return true;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}

/** Read a stream of server-sent events once; `on` gets each event's name, id and data. */
async function read(id, signal, on) {
  const silent = new AbortController();
  let watchdog = setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    const headers = { accept: "text/event-stream", "last-event-id": id };
    const answer = await send("inspector/api/events", { headers, signal: AbortSignal.any([signal, silent.signal]) });
    on("open", id, null);
    const lines = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let got = await lines.read(); !got.done; got = await lines.read()) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => silent.abort(), SILENCE_MS);
      const events = (rest + got.value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s)));
        if (fields.event) on(fields.event, fields.id, JSON.parse(fields.data));
      }
    }
  } finally {
    clearTimeout(watchdog);
  }
}

/** Watch what happens from an event on, across broken connections, until told to stop or refused. */
export async function watch(id, signal, on) {
  for (let failures = 0; !signal.aborted; ) {
    try {
      await read(id, signal, (name, at, data) => {
        failures = 0;
        id = at;
        on(name, data);
      });
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error;
      failures += 1;
    }
    if (signal.aborted) return;
    on("away", null);
    await new Promise((resume) => setTimeout(resume, Math.min(10_000, 500 * 2 ** failures)));
  }
}
