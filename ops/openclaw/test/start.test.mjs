// The start program as a process, with a small program in the gateway's place.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

const START = fileURLToPath(new URL("../start.mjs", import.meta.url));
const GATEWAY = `
  const fs = require("node:fs");
  fs.writeFileSync(process.env.SEEN, JSON.stringify({ argv: process.argv.slice(2), env: process.env }));
  process.on("SIGTERM", () => { fs.writeFileSync(process.env.SEEN + ".term", ""); setTimeout(() => process.exit(7), 100); });
  setInterval(() => {}, 1000);
  if (process.env.ENDS) process.exit(Number(process.env.ENDS));
`;
let folder;
let seen;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gateway-start-"));
  seen = join(folder, "seen.json");
  await writeFile(join(folder, "gateway.cjs"), GATEWAY);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function start(env = {}, options = {}) {
  const child = spawn(process.execPath, [START], {
    ...options,
    env: {
      PATH: "/nowhere", HOME: folder, SEEN: seen,
      OPENCLAW_DATA_ROOT: join(folder, "data"), OPENCLAW_WORKSPACE_ROOT: join(folder, "clawd", "agents"),
      OPENCLAW_COMMAND: `${process.execPath} ${join(folder, "gateway.cjs")}`,
      OPENCLAW_GATEWAY_TOKEN: "the-gateway-token", VERCEL_AI_GATEWAY_API_KEY: "the-vercel-key",
      AI_GATEWAY_API_KEY: "", ...env,
    },
  });
  let output = "";
  child.stdout.on("data", (part) => (output += part));
  child.stderr.on("data", (part) => (output += part));
  const ended = new Promise((resolve) => child.once("exit", (code) => resolve({ code, output })));
  return { child, ended, output: () => output };
}

async function until(look) {
  for (let round = 0; round < 500; round += 1) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("not in time");
}

const gateway = () => until(async () => JSON.parse(await readFile(seen, "utf8")));

test("the gateway gets its configuration and its secrets by the environment only", async () => {
  const { child, ended, output } = start();
  const { argv, env } = await gateway();
  const config = await readFile(env.OPENCLAW_CONFIG_PATH, "utf8");
  child.kill("SIGTERM");
  await ended;

  assert.deepEqual(argv, ["gateway", "run"]);
  assert.equal(env.OPENCLAW_GATEWAY_TOKEN, "the-gateway-token");
  assert.equal(env.AI_GATEWAY_API_KEY, "the-vercel-key");
  assert.equal(JSON.parse(config).gateway.bind, "lan");
  for (const text of [config, output()]) {
    assert.ok(!text.includes("the-gateway-token") && !text.includes("the-vercel-key"));
  }
  assert.ok(output().includes("http://localhost:18789/"));
});

test("a stop is passed on, and the gateway's own exit status is the container's", async () => {
  const { child, ended } = start();
  await gateway();
  child.kill("SIGTERM");
  const { code } = await ended;
  await readFile(`${seen}.term`);
  assert.equal(code, 7);
});

test("a gateway that ends by itself ends the container", async () => {
  assert.equal((await start({ ENDS: "3" }).ended).code, 3);
});

test("what the runtime generates later is taken over while it runs", async () => {
  const { child, ended } = start({ OPENCLAW_CONFIG_RELOAD: "1" });
  const { env } = await gateway();
  await new Promise((resolve) => setTimeout(resolve, 200));
  await mkdir(join(folder, "clawd"), { recursive: true });
  const generated = { agents: { entries: { engineer: {} } } };
  await writeFile(join(folder, "clawd", "openclaw.json"), JSON.stringify(generated));
  await until(async () => "engineer" in JSON.parse(await readFile(env.OPENCLAW_CONFIG_PATH, "utf8")).agents.entries);
  child.kill("SIGTERM");
  await ended;
});

test("a configuration that cannot be read is left as it is, and the container says so", async () => {
  await mkdir(join(folder, "data"), { recursive: true });
  const mine = '{ "channels": { /* mine */ } ';
  await writeFile(join(folder, "data", "openclaw.json"), mine);
  const { code, output } = await start().ended;
  assert.equal(code, 78);
  assert.match(output, /openclaw.json cannot be read/);
  assert.equal(await readFile(join(folder, "data", "openclaw.json"), "utf8"), mine);
});

test("a generated file that is broken, then full of nonsense, then well, ends nothing", async () => {
  await mkdir(join(folder, "clawd"), { recursive: true });
  const file = join(folder, "clawd", "openclaw.json");
  await writeFile(file, "{ broken");
  const { child, ended, output } = start({ OPENCLAW_CONFIG_RELOAD: "1", RELOAD_MS: "50" });
  const { env } = await gateway();
  await until(async () => output().includes("it is left out"));
  await writeFile(file, JSON.stringify({ agents: { entries: { a: null } }, skills: { entries: null } }));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await writeFile(file, JSON.stringify({ agents: { entries: { engineer: {} } } }));
  await until(async () => "engineer" in JSON.parse(await readFile(env.OPENCLAW_CONFIG_PATH, "utf8")).agents.entries);
  assert.equal(child.exitCode, null);
  child.kill("SIGTERM");
  assert.equal((await ended).code, 7);
});

test("a stop during a clone ends at once", async () => {
  await mkdir(join(folder, "bin"));
  await writeFile(join(folder, "bin", "git"), "#!/bin/sh\nexec sleep 30\n");
  await chmod(join(folder, "bin", "git"), 0o755);
  const { child, ended } = start({
    PATH: `${join(folder, "bin")}:/usr/bin:/bin`, OPENCLAW_WORKSPACE_REPOSITORY: "https://example.org/x.git",
    OPENCLAW_BROWSER_EXECUTABLE_PATH: "/nowhere",
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = Date.now();
  child.kill("SIGTERM");
  assert.equal((await ended).code, 0);
  assert.ok(Date.now() - began < 5000);
});

test("a volume that cannot be written is one clear message", async () => {
  await mkdir(join(folder, "data"));
  await chmod(join(folder, "data"), 0o500);
  await chmod(folder, 0o755);
  // Root may write anywhere.
  const { code, output } = await start({}, process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {}).ended;
  assert.equal(code, 78);
  assert.match(output, /cannot be written/);
});
