import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { agentIds, concurrency, mergeConfig } from "../lib/config.mjs";

const template = JSON.parse(readFileSync(new URL("../template.json", import.meta.url), "utf8"));
const TOKEN = { OPENCLAW_GATEWAY_TOKEN: "a-secret-token" };
const SECRETS = {
  ...TOKEN,
  VERCEL_AI_GATEWAY_API_KEY: "vercel-secret",
  AI_GATEWAY_API_KEY: "vercel-secret",
  ANTHROPIC_API_KEY: "anthropic-secret",
  OPENAI_API_KEY: "openai-secret",
  BRAVE_API_KEY: "brave-secret",
  GH_TOKEN: "github-secret",
};
const GENERATED = {
  agents: {
    ownership: "explicit",
    defaults: { skipBootstrap: true },
    entries: { engineer: { workspace: "/root/clawd/agents/engineer", identity: { name: "Engineer" } } },
  },
  skills: {
    load: { extraDirs: ["/root/clawd/agents/engineer/skills"] },
    entries: { pdf: { enabled: true }, weather: { enabled: true } },
  },
};

const merge = (facts = {}) => mergeConfig({ template, env: TOKEN, browserPath: "/usr/bin/chromium", ...facts });

test("the endpoint that replies come from is enabled at every start", () => {
  const off = { gateway: { port: 1, mode: "remote", http: { endpoints: { responses: { enabled: false } } } } };
  const { config } = merge({ existing: off });
  assert.equal(config.gateway.http.endpoints.responses.enabled, true);
  assert.deepEqual([config.gateway.port, config.gateway.mode], [18789, "local"]);
  assert.equal(config.tools.toolSearch, false);
});

test("with a token it listens for others, without one for nobody outside", () => {
  const open = merge().config.gateway;
  assert.deepEqual([open.bind, open.auth.mode], ["lan", "token"]);
  for (const env of [{}, { OPENCLAW_GATEWAY_TOKEN: "  " }]) {
    const { config, notes } = merge({ env });
    assert.deepEqual([config.gateway.bind, config.gateway.auth.mode], ["loopback", "none"]);
    assert.ok(notes.some((note) => note.includes("OPENCLAW_GATEWAY_TOKEN is empty")));
  }
});

test("no secret is written, and none of an earlier start stays", () => {
  const existing = {
    gateway: { auth: { mode: "token", token: "old-secret" }, controlUi: { allowInsecureAuth: true } },
    env: { AI_GATEWAY_API_KEY: "old-secret", GH_TOKEN: "old-secret" },
    auth: { profiles: { "vercel-ai-gateway:default": { provider: "vercel-ai-gateway", key: "old-secret" } } },
  };
  const text = JSON.stringify(merge({ existing, env: SECRETS }).config);
  for (const value of [...Object.values(SECRETS), "old-secret"]) assert.ok(!text.includes(value), value);
  assert.ok(!text.includes("allowInsecureAuth"));
});

test("the generated agents replace the list, and the rest is laid over", () => {
  const existing = { agents: { entries: { old: {} }, defaults: { workspace: "/elsewhere" } } };
  const { config, brought } = merge({ existing, generated: GENERATED });
  assert.deepEqual(agentIds(config), ["engineer"]);
  assert.equal(config.agents.ownership, "explicit");
  assert.equal(config.agents.defaults.workspace, "/elsewhere");
  assert.deepEqual(config.skills.load.extraDirs, ["/root/clawd/agents/engineer/skills"]);
  assert.deepEqual(brought, { skills: ["pdf", "weather"], folders: ["/root/clawd/agents/engineer/skills"] });
});

test("without a generated configuration there is one agent, and what there was stays", () => {
  assert.deepEqual(agentIds(merge().config), ["main"]);
  assert.deepEqual(agentIds(merge({ existing: { agents: { entries: { mine: {} } } } }).config), ["mine"]);
});

test("skills of an earlier configuration go, and one that was switched off stays off", () => {
  const first = merge({ generated: GENERATED });
  first.config.skills.entries.weather.enabled = false;
  const second = merge({ existing: first.config, generated: GENERATED, brought: first.brought });
  assert.equal(second.config.skills.entries.weather.enabled, false);
  const third = merge({ existing: first.config, generated: { agents: {} }, brought: first.brought });
  assert.equal(third.config.skills.entries.pdf, undefined);
  assert.equal(third.config.skills.load, undefined);
});

test("a second merge of the same changes nothing", () => {
  const facts = { generated: GENERATED, env: SECRETS };
  const once = merge(facts);
  const twice = merge({ ...facts, existing: once.config, brought: once.brought });
  assert.deepEqual(twice.config, once.config);
});

test("what older versions wrote is turned into the form of this one", () => {
  const existing = {
    agents: {
      defaults: { model: "anthropic/claude-opus-5", models: ["x"] },
      list: [{ id: "beta", default: true, workspace: "/b" }, { id: "../evil" }, "nonsense"],
    },
    load: { extraDirs: ["/x"] },
  };
  const { config } = merge({ existing });
  assert.deepEqual(config.agents.entries, { beta: { workspace: "/b" } });
  assert.deepEqual(config.agents.defaults.model, { primary: "anthropic/claude-opus-5", fallbacks: [] });
  assert.equal(config.agents.list, undefined);
  assert.equal(config.load, undefined);
});

for (const [text, expected] of [
  [undefined, 10], ["", 10], ["x", 10], ["4", 4], ["4.9", 4], ["0", 1], ["-3", 1], ["99", 16],
]) {
  test(`OPENCLAW_MAX_CONCURRENT=${text} means ${expected}`, () => {
    assert.equal(concurrency(text), expected);
    const env = { ...TOKEN, ...(text === undefined ? {} : { OPENCLAW_MAX_CONCURRENT: text }) };
    const generated = { agents: { defaults: { maxConcurrent: 77 } } };
    assert.equal(merge({ env, generated }).config.agents.defaults.maxConcurrent, expected);
  });
}

test("a run may take as long as the runtime waits", () => {
  const env = { ...TOKEN, OPENCLAW_REQUEST_TIMEOUT_MS: "600000" };
  assert.equal(merge({ env }).config.agents.defaults.timeoutSeconds, 600);
});

test("without a browser its tools are off", () => {
  assert.deepEqual(merge({ browserPath: undefined }).config.browser, { enabled: false });
});

test("anything that is no object counts as no configuration", () => {
  for (const existing of [null, [], "x", 5]) assert.ok(merge({ existing }).config.gateway);
});

test("a search that needs a plugin is on only when that is there", () => {
  const env = { ...TOKEN, BRAVE_API_KEY: "brave-secret" };
  const on = merge({ env, hasBrave: true });
  assert.equal(on.config.tools.web.search.provider, "brave");
  const off = merge({ env, existing: on.config });
  assert.equal(off.config.tools.web.search, undefined);
  assert.ok(off.notes.some((note) => note.includes("plugins install")));
});

test("what somebody set in the file stays, unless the environment says otherwise", () => {
  const existing = {
    agents: { defaults: { maxConcurrent: 3, timeoutSeconds: 1200 }, entries: { main: {} } },
    tools: { profile: "minimal" },
    skills: { load: { extraDirs: ["/mine"] } },
    channels: { telegram: { enabled: true } },
  };
  const env = { ...TOKEN, OPENCLAW_REQUEST_TIMEOUT_MS: "600000" };
  const { config, brought } = merge({ existing, env, generated: GENERATED });
  assert.equal(config.tools.profile, "minimal");
  assert.deepEqual([config.agents.defaults.maxConcurrent, config.agents.defaults.timeoutSeconds], [3, 1200]);
  assert.deepEqual(config.skills.load.extraDirs, ["/mine", "/root/clawd/agents/engineer/skills"]);
  assert.deepEqual(config.channels, existing.channels);
  const later = merge({ existing: config, env, generated: { agents: {} }, brought });
  assert.deepEqual(later.config.skills.load.extraDirs, ["/mine"]);
  const said = merge({ existing, env: { ...env, OPENCLAW_TOOLS_PROFILE: "coding", OPENCLAW_MAX_CONCURRENT: "8" } });
  assert.deepEqual([said.config.tools.profile, said.config.agents.defaults.maxConcurrent], ["coding", 8]);
});

test("a secret in the file is taken out and named, a reference stays", () => {
  const existing = {
    env: { GROQ_API_KEY: "groq-secret", vars: { X_TOKEN: "x-secret", MODE: "x" } },
    gateway: { auth: { password: "p-secret" } },
    models: { providers: { mine: { apiKey: "${MY_KEY}" } } },
  };
  const { config, notes } = merge({ existing });
  const text = JSON.stringify(config);
  for (const value of ["groq-secret", "x-secret", "p-secret"]) assert.ok(!text.includes(value));
  assert.ok(text.includes("${MY_KEY}"));
  for (const name of ["env.GROQ_API_KEY", "env.vars.X_TOKEN", "gateway.auth.password"]) {
    assert.ok(notes.some((note) => note.includes(name)));
  }
});

test("nonsense in either file throws nothing", () => {
  const odd = [null, 5, "x", [], {}, { a: null }];
  for (const value of odd) {
    merge({ existing: { agents: { entries: { main: value }, defaults: value, list: value } } });
    merge({ existing: { skills: value, tools: value, gateway: value, models: value, browser: value } });
    merge({ generated: { agents: { entries: { a: value }, defaults: value }, skills: { entries: value, load: value } } });
    merge({ generated: { agents: value, skills: value }, brought: value });
  }
  assert.deepEqual(agentIds(merge({ existing: { agents: { entries: { main: null } } } }).config), ["main"]);
});
