// The OpenAI SDK for node against a router: chat completions and responses, with models of one provider.
// ROUTER_URL is the router's base URL, PROVIDER the provider whose models are asked.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const { ROUTER_URL, PROVIDER } = process.env;
const client = new OpenAI({ baseURL: ROUTER_URL, apiKey: "none", maxRetries: 0 });
const [steady, limited, cut, stalled] = ["steady", "limited", "cut", "stalled"].map((name) => `${PROVIDER}/${PROVIDER}-${name}`);
const question = "What is the weather in Paris and in Rome?";
const messages = [{ role: "user", content: question }];
const parameters = {
  type: "object",
  properties: { city: { type: "string", enum: ["Paris", "Rome"] } },
  required: ["city"],
};
const weather = { name: "weather", description: "Weather in a city.", parameters };
const chatTools = [{ type: "function", function: weather }];
const responseTools = [{ type: "function", strict: false, ...weather }];

const city = (text) => JSON.parse(text).city;

test("a chat completion is answered, and its affinity id comes back", async () => {
  const headers = { "X-Model-Affinity": `node-chat-${PROVIDER}` };
  const asked = () => client.chat.completions.create({ model: steady, messages }, { headers }).withResponse();
  const { data, response } = await asked();
  assert.ok(data.choices[0].message.content);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.ok(data.usage.total_tokens > 0);
  assert.equal(response.headers.get("x-model-affinity"), headers["X-Model-Affinity"]);
  assert.match(response.headers.get("x-plano-affinity"), /^initialize;/);
  assert.match((await asked()).response.headers.get("x-plano-affinity"), /^retain;/);
});

test("a streamed chat completion says what the plain one says", async () => {
  const plain = await client.chat.completions.create({ model: steady, messages });
  const options = { stream: true, stream_options: { include_usage: true } };
  let text = "";
  let usage = 0;
  for await (const chunk of await client.chat.completions.create({ model: steady, messages, ...options })) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage += chunk.usage ? 1 : 0;
  }
  assert.equal(text, plain.choices[0].message.content);
  assert.equal(usage, 1);
});

for (const streamed of [false, true]) {
  test(`a chat completion calls tools and reads their results (stream: ${streamed})`, async () => {
    const asked = { model: steady, messages, tools: chatTools };
    const completion = streamed
      ? await client.chat.completions.stream(asked).finalChatCompletion()
      : await client.chat.completions.create(asked);
    const { content, tool_calls: calls } = completion.choices[0].message;
    assert.deepEqual(calls.map((call) => city(call.function.arguments)), ["Paris", "Rome"]);
    const results = calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "18 degrees" }));
    const said = { role: "assistant", content, tool_calls: calls.map(({ id, type, function: f }) => ({ id, type, function: { name: f.name, arguments: f.arguments } })) };
    const answer = await client.chat.completions.create({ ...asked, messages: [...messages, said, ...results] });
    assert.match(answer.choices[0].message.content, /18 degrees/);
  });
}

test("a response is answered, and its affinity id comes back", async () => {
  const headers = { "X-Model-Affinity": `node-responses-${PROVIDER}` };
  const asked = client.responses.create({ model: steady, input: question, store: false }, { headers });
  const { data, response } = await asked.withResponse();
  assert.equal(data.status, "completed");
  assert.ok(data.output_text);
  assert.equal(response.headers.get("x-model-affinity"), headers["X-Model-Affinity"]);
});

for (const streamed of [false, true]) {
  test(`a response calls tools and reads their results (stream: ${streamed})`, async () => {
    const input = [{ role: "user", content: question }];
    const asked = { model: steady, tools: responseTools, store: false };
    const response = streamed
      ? await client.responses.stream({ ...asked, input }).finalResponse()
      : await client.responses.create({ ...asked, input });
    const calls = response.output.filter((item) => item.type === "function_call");
    assert.deepEqual(calls.map((call) => city(call.arguments)), ["Paris", "Rome"]);
    const results = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "18 degrees" }));
    const answer = await client.responses.create({ ...asked, input: [...input, ...response.output, ...results] });
    assert.match(answer.output_text, /18 degrees/);
  });
}

const surfaces = {
  "chat completion": (body, options) => client.chat.completions.create({ messages, ...body }, options),
  response: (body, options) => client.responses.create({ input: question, store: false, ...body }, options),
};

for (const [name, ask] of Object.entries(surfaces)) {
  test(`an unknown model is told to who wants a ${name}`, async () => {
    await assert.rejects(ask({ model: "nobody" }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.deepEqual([error.status, error.type, error.code], [404, "invalid_request_error", "model_not_found"]);
      return true;
    });
  });

  test(`a bad affinity id is told to who wants a ${name}`, async () => {
    await assert.rejects(ask({ model: steady }, { headers: { "X-Model-Affinity": "two words" } }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.deepEqual([error.code, error.param], ["invalid_affinity_id", "X-Model-Affinity"]);
      return true;
    });
  });

  test(`a provider's limit is told, and when to come again, to who wants a ${name}`, async () => {
    await assert.rejects(ask({ model: limited }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get("retry-after"), "7");
      return true;
    });
  });

  test(`a ${name} whose stream is cut is no success`, async () => {
    await assert.rejects(async () => {
      for await (const _ of await ask({ model: cut, stream: true }));
    });
  });

  test(`a ${name} given up in mid-stream ends at once and leaves its place to others`, async () => {
    for (let times = 0; times < 2 * Number(process.env.PLACES); times++) {
      const stream = await ask({ model: stalled, stream: true });
      for await (const _ of stream) {
        stream.controller.abort();
      }
    }
    const again = await ask({ model: steady }, { maxRetries: 4 });
    assert.ok(again.id);
  });
}
