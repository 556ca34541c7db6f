// A tool loop of the AI SDK: vercel_ai.mjs WORDS plain|streamed
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [words, form] = process.argv.slice(2);
const job = {
  model: createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: "none" })(process.env.MODEL),
  prompt: words,
  stopWhen: stepCountIs(10),
  tools: {
    shell: tool({
      description: "Run a command.",
      inputSchema: z.object({ command: z.string() }),
      execute: async ({ command }) => `ran ${command}`,
    }),
  },
};
const answered = form === "plain" ? await generateText(job) : streamText(job);
console.log(await answered.text);
