// An agent of @openai/agents with one tool: openai_agents.mjs WORDS plain|streamed
import { Agent, run, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";

setTracingDisabled(true);
const [words, form] = process.argv.slice(2);
const shell = tool({
  name: "shell",
  description: "Run a command.",
  parameters: z.object({ command: z.string() }),
  execute: async ({ command }) => `ran ${command}`,
});
const agent = new Agent({
  name: "coder",
  instructions: "You write code.",
  model: process.env.MODEL,
  tools: [shell],
});
if (form === "plain") {
  console.log((await run(agent, words)).finalOutput);
} else {
  const streamed = await run(agent, words, { stream: true });
  for await (const _ of streamed);
  console.log(streamed.finalOutput);
}
