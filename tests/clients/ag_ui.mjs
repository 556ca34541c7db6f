// AG-UI's own client against an agent server: AGENT_URL is its address, API_KEY and OTHER_KEY two clients' keys.
import assert from "node:assert/strict";
import test from "node:test";
import { HttpAgent } from "@ag-ui/client";

const { AGENT_URL, API_KEY, OTHER_KEY } = process.env;
const question = "Compare PostgreSQL and MongoDB for our shop, weigh the trade-offs, decide.";

const connect = (threadId, headers = {}, apiKey = API_KEY) => {
  const answers = [];
  const agent = new HttpAgent({
    url: `${AGENT_URL}/ag-ui`,
    threadId,
    headers: { Authorization: `Bearer ${apiKey}`, ...headers },
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      answers.push(answer);
      return answer;
    },
  });
  return { agent, answers };
};

const say = (agent, content) => agent.addMessage({ id: crypto.randomUUID(), role: "user", content });

test("a run comes as events that the client accepts, and ends with its answer", async () => {
  const { agent, answers } = connect("ag-ui-events", { "X-Model-Affinity": "ag-ui-run-1" });
  const seen = [];
  say(agent, question);
  await agent.runAgent({}, { onEvent: ({ event }) => void seen.push(event.type) });
  assert.equal(answers[0].headers.get("x-model-affinity"), "ag-ui-run-1");
  assert.equal(seen[0], "RUN_STARTED");
  assert.equal(seen.at(-1), "RUN_FINISHED");
  for (const type of ["TEXT_MESSAGE_CONTENT", "TOOL_CALL_START", "TOOL_CALL_RESULT", "MESSAGES_SNAPSHOT"])
    assert.ok(seen.includes(type), type);
  assert.ok(!seen.includes("RAW"));
  const last = agent.messages.at(-1);
  assert.equal(last.role, "assistant");
  assert.match(last.content, /PostgreSQL/);
});

test("a conversation goes on, and is the thread that the server tells", async () => {
  const { agent, answers } = connect("ag-ui-thread");
  say(agent, question);
  await agent.runAgent();
  const before = agent.messages.length;
  say(agent, "Write a limerick about it.");
  await agent.runAgent();
  assert.ok(agent.messages.length >= before + 2);
  assert.equal(new Set(answers.map((answer) => answer.headers.get("x-model-affinity"))).size, 2);
  const headers = { Authorization: `Bearer ${API_KEY}` };
  const thread = await (await fetch(`${AGENT_URL}/threads/ag-ui-thread`, { headers })).json();
  assert.deepEqual(
    thread.messages.map((message) => message.role),
    agent.messages.map((message) => message.role),
  );
  assert.equal(thread.affinity_id, answers[1].headers.get("x-model-affinity"));
});

test("another key's thread is not found", async () => {
  const own = connect("ag-ui-owned").agent;
  say(own, "Hello");
  await own.runAgent();
  const { agent, answers } = connect("ag-ui-owned", {}, OTHER_KEY);
  say(agent, "Hello");
  await assert.rejects(agent.runAgent({}, { onRunFailed: () => {} }));
  assert.equal(answers[0].status, 404);
});

test("a client without a key is told so", async () => {
  const { agent, answers } = connect("ag-ui-keyless", {}, "wrong");
  say(agent, "Hello");
  await assert.rejects(agent.runAgent({}, { onRunFailed: () => {} }));
  assert.equal(answers[0].status, 401);
});
