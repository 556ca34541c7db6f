// The recipes of docs/integrations.md, as they stand there, against a router. ROUTER_URL is its base URL, RECIPES the
// folder of their code blocks, which take what they leave open from globalThis.given.
import assert from "node:assert/strict";
import test from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const { ROUTER_URL, RECIPES } = process.env;
const question = "What is the weather in Paris and in Rome?";
const weather = tool({
  description: "Weather in a city.",
  inputSchema: z.object({ city: z.enum(["Paris", "Rome"]) }),
  execute: async ({ city }) => `18 degrees in ${city}`,
});
globalThis.given = { messages: [{ role: "user", content: question }], tools: { weather }, prompt: question };

let made = "";
crypto.randomUUID = () => made;

const run = async (block, id) => {
  made = id;
  return import(`${RECIPES}/${block}.mjs`);
};
const turns = async (id) => {
  const answer = await fetch(`${ROUTER_URL.replace(/\/v1$/, "")}/affinity/${id}`);
  return answer.ok ? (await answer.json()).turns : 0;
};

test("the openai recipe sends a run's id, by request and by client", async () => {
  const { ofRun } = await run("openai", "js-openai");
  assert.equal(await turns("js-openai"), 1);
  await ofRun.chat.completions.create({ model: "gpt-4o-mini", messages: globalThis.given.messages });
  assert.equal(await turns("js-openai"), 2);
});

test("the Vercel AI SDK's recipe sends a run's id with each step of a loop", async () => {
  const { text } = await run("vercel", "js-vercel");
  assert.match(text, /18 degrees/);
  assert.equal(await turns("js-vercel"), 2);
});

test("the fetch recipe keeps runs at once apart, whichever client they use", async () => {
  const { affinity, fetchWithAffinity } = await run("fetch", "unused");
  const openai = new OpenAI({ baseURL: ROUTER_URL, apiKey: "none", fetch: fetchWithAffinity });
  const plano = createOpenAICompatible({ name: "plano", baseURL: ROUTER_URL, fetch: fetchWithAffinity });
  const agent = async () => {
    await openai.chat.completions.create({ model: "gpt-4o-mini", messages: globalThis.given.messages });
    const asked = { model: plano("gpt-4o-mini"), tools: { weather }, stopWhen: isStepCount(10), prompt: question };
    await generateText(asked);
    for await (const _ of streamText(asked).textStream);
  };
  const ids = Array.from({ length: 8 }, (_, at) => `js-fetch-${at}`);
  await Promise.all(ids.map((id) => affinity.run(id, agent)));
  assert.deepEqual(await Promise.all(ids.map(turns)), ids.map(() => 5));
});

test("the fetch recipe leaves a header of the caller's own", async () => {
  const { affinity, fetchWithAffinity } = await run("fetch", "unused");
  const openai = new OpenAI({ baseURL: ROUTER_URL, apiKey: "none", fetch: fetchWithAffinity });
  const headers = { "x-model-affinity": "js-own" };
  await affinity.run("js-not-sent", () => openai.models.list({ headers }));
  await affinity.run("js-not-sent", () =>
    openai.chat.completions.create({ model: "gpt-4o-mini", messages: globalThis.given.messages }, { headers }),
  );
  assert.deepEqual([await turns("js-own"), await turns("js-not-sent")], [1, 0]);
});
