// The Anthropic SDK for node against a router: messages, with models of one provider.
// ROUTER_URL is the router's base URL, PROVIDER the provider whose models are asked.
import assert from "node:assert/strict";
import test from "node:test";
import Anthropic from "@anthropic-ai/sdk";

const { ROUTER_URL, PROVIDER } = process.env;
const client = new Anthropic({ baseURL: ROUTER_URL.replace(/\/v1$/, ""), apiKey: "none", maxRetries: 0 });
const [steady, limited, cut, stalled] = ["steady", "limited", "cut", "stalled"].map((name) => `${PROVIDER}/${PROVIDER}-${name}`);
const messages = [{ role: "user", content: "What is the weather in Paris and in Rome?" }];
const weather = {
  name: "weather",
  description: "Weather in a city.",
  input_schema: {
    type: "object",
    properties: { city: { type: "string", enum: ["Paris", "Rome"] } },
    required: ["city"],
  },
};

const ask = (body, options) => client.messages.create({ max_tokens: 500, messages, ...body }, options);

test("a message is answered, and its affinity id comes back", async () => {
  const headers = { "X-Model-Affinity": `node-messages-${PROVIDER}` };
  const { data, response } = await ask({ model: steady, system: "Be brief." }, { headers }).withResponse();
  assert.equal(data.stop_reason, "end_turn");
  assert.ok(data.content[0].text);
  assert.ok(data.usage.input_tokens > 0);
  assert.equal(response.headers.get("x-model-affinity"), headers["X-Model-Affinity"]);
  assert.match(response.headers.get("x-plano-affinity"), /^initialize;/);
  const again = await ask({ model: steady }, { headers }).withResponse();
  assert.match(again.response.headers.get("x-plano-affinity"), /^retain;/);
});

test("a streamed message says what the plain one says", async () => {
  const plain = await ask({ model: steady });
  let text = "";
  for await (const event of await ask({ model: steady, stream: true })) {
    text += event.type === "content_block_delta" ? event.delta.text : "";
  }
  assert.equal(text, plain.content[0].text);
});

for (const streamed of [false, true]) {
  test(`a message calls tools and reads their results (stream: ${streamed})`, async () => {
    const asked = { model: steady, max_tokens: 500, tools: [weather] };
    const message = streamed
      ? await client.messages.stream({ ...asked, messages }).finalMessage()
      : await client.messages.create({ ...asked, messages });
    const calls = message.content.filter((block) => block.type === "tool_use");
    assert.equal(message.stop_reason, "tool_use");
    assert.deepEqual(calls.map((call) => call.input.city), ["Paris", "Rome"]);
    const content = calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "18 degrees" }));
    const said = [{ role: "assistant", content: message.content }, { role: "user", content }];
    const answer = await client.messages.create({ ...asked, messages: [...messages, ...said] });
    assert.match(answer.content[0].text, /18 degrees/);
  });
}

test("an unknown model is told", async () => {
  await assert.rejects(ask({ model: "nobody" }), (error) => {
    assert.ok(error instanceof Anthropic.NotFoundError);
    assert.deepEqual([error.status, error.error.error.type], [404, "not_found_error"]);
    return true;
  });
});

test("a bad affinity id is told", async () => {
  await assert.rejects(ask({ model: steady }, { headers: { "X-Model-Affinity": "two words" } }), (error) => {
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.equal(error.error.error.type, "invalid_request_error");
    return true;
  });
});

test("a provider's limit is told, and when to come again", async () => {
  await assert.rejects(ask({ model: limited }), (error) => {
    assert.ok(error instanceof Anthropic.RateLimitError);
    assert.equal(error.headers.get("retry-after"), "7");
    assert.equal(error.error.error.type, "rate_limit_error");
    return true;
  });
});

test("a message whose stream is cut is no success", async () => {
  await assert.rejects(client.messages.stream({ model: cut, max_tokens: 500, messages }).finalMessage());
});

test("a message given up in mid-stream ends at once and leaves its place to others", async () => {
  for (let times = 0; times < 2 * Number(process.env.PLACES); times++) {
    const stream = await ask({ model: stalled, stream: true });
    for await (const _ of stream) {
      stream.controller.abort();
    }
  }
  assert.ok((await ask({ model: steady }, { maxRetries: 4 })).id);
});
