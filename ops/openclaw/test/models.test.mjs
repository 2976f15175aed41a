import assert from "node:assert/strict";
import { test } from "node:test";

import { chooseModels, hasVercel } from "../lib/models.mjs";

function chosen(env, defaults = {}, models = undefined) {
  const config = { agents: { defaults }, ...(models ? { models } : {}) };
  const notes = chooseModels(config, env);
  return { ...config.agents.defaults, providers: config.models?.providers ?? {}, notes };
}

test("either name of the key means the Vercel AI gateway", () => {
  for (const name of ["VERCEL_AI_GATEWAY_API_KEY", "AI_GATEWAY_API_KEY"]) {
    const found = chosen({ [name]: "k" });
    assert.equal(found.model.primary, "vercel-ai-gateway/minimax/minimax-m2.5");
    assert.equal(found.model.fallbacks.length, 3);
    assert.ok(found.model.fallbacks.every((one) => one.startsWith("vercel-ai-gateway/")));
    assert.equal(found.providers["vercel-ai-gateway"].apiKey, "${AI_GATEWAY_API_KEY}");
  }
  assert.equal(hasVercel({ AI_GATEWAY_API_KEY: " " }), false);
});

test("Anthropic and OpenAI are used without it", () => {
  assert.deepEqual(chosen({ ANTHROPIC_API_KEY: "k", OPENAI_API_KEY: "k" }).model, {
    primary: "anthropic/claude-haiku-4.5",
    fallbacks: ["openai/gpt-5-nano"],
  });
  assert.deepEqual(chosen({ ANTHROPIC_API_KEY: "k" }).model.fallbacks, []);
  assert.equal(chosen({ OPENAI_API_KEY: "k" }).model.primary, "openai/gpt-5-nano");
});

test("without any key it says so, and what was ours goes", () => {
  const before = { model: { primary: "openai/gpt-5-nano", fallbacks: [] } };
  const found = chosen({}, before, { providers: { "vercel-ai-gateway": {} } });
  assert.equal(found.model, undefined);
  assert.deepEqual(found.providers, {});
  assert.match(found.notes[0], /agents cannot answer/);
});

test("somebody's own model and aliases stay", () => {
  const mine = { model: { primary: "local/llama" }, models: { "local/llama": { alias: "l" } } };
  const found = chosen({ ANTHROPIC_API_KEY: "k" }, structuredClone(mine), { providers: { local: { x: 1 } } });
  assert.equal(found.model.primary, "local/llama");
  assert.deepEqual(found.models, mine.models);
  assert.deepEqual(found.providers, { local: { x: 1 } });
});
