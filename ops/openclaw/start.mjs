#!/usr/bin/env node
// The main process of the gateway's container: prepares, starts the gateway and a browser, takes over
// what the runtime generates, and passes signals on. Ends with the gateway's own exit status.

import { readFile } from "node:fs/promises";

import { PORT } from "./lib/config.mjs";
import { Unreadable } from "./lib/files.mjs";
import { makeLog } from "./lib/log.mjs";
import { fetchRepository, forgetOldSessions, placesOf, writeConfig } from "./lib/prepare.mjs";
import { ended, findBrowser, startBrowser, startGateway } from "./lib/processes.mjs";
import { watchGenerated } from "./lib/reload.mjs";
import { gitEnvironment, makeWorkspace, removeStaleLocks } from "./lib/workspace.mjs";

const env = { ...process.env };
if (!env.AI_GATEWAY_API_KEY?.trim() && env.VERCEL_AI_GATEWAY_API_KEY?.trim()) {
  env.AI_GATEWAY_API_KEY = env.VERCEL_AI_GATEWAY_API_KEY;
}
// An empty variable is not a key.
for (const [name, value] of Object.entries(env)) if (value === "") delete env[name];

const log = makeLog(env);
const places = placesOf(env);
const template = JSON.parse(await readFile(new URL("template.json", import.meta.url), "utf8"));

// Before there is a gateway a stop ends the work at hand; afterwards it is the gateway's, which drains. The
// browser ends last: turns that still run may need it.
const stopping = new AbortController();
let gateway;
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    stopping.abort();
    gateway?.kill(signal);
  });
}
function leaveIfStopped() {
  if (!stopping.signal.aborted) return;
  log("info", "stopped before the gateway was started");
  process.exit(0);
}

async function prepare() {
  const git = await gitEnvironment(env, `${places.data}/bin`);
  await removeStaleLocks(places.data, places.workspace);
  await makeWorkspace(places.workspace, new Date().toISOString().slice(0, 10));
  await fetchRepository({ places, env, git, log, signal: stopping.signal });
  leaveIfStopped();
  const path = await findBrowser(env);
  const browser = path && (await startBrowser(path, `${places.data}/browser/mission-control`, { env, log }));
  if (!path) log("warn", "no browser was found: web tools of agents will fail");
  const browserPath = browser ? path : undefined;
  await writeConfig({ places, template, env, browserPath, log });
  await forgetOldSessions({ places, env, log, nowMs: Date.now() });
  return { browser, browserPath, git };
}

let prepared;
try {
  prepared = await prepare();
} catch (error) {
  const isFull = ["EACCES", "EROFS", "EPERM", "ENOSPC"].includes(error.code);
  if (!isFull && !(error instanceof Unreadable)) throw error;
  log(
    "error",
    isFull
      ? `${error.path ?? places.data} cannot be written (${error.code}): is the volume given to this user, and has it room?`
      : `${error.message}: it is left as it is; set it right, or take it away`,
  );
  process.exit(78);
}
const { browser, browserPath, git } = prepared;
leaveIfStopped();

gateway = startGateway({
  env: { ...env, ...git, OPENCLAW_STATE_DIR: places.data, OPENCLAW_CONFIG_PATH: places.config },
  command: (env.OPENCLAW_COMMAND ?? "openclaw").split(" "),
});
log("info", `the Control UI is at http://localhost:${PORT}/ when that port is published; its token is OPENCLAW_GATEWAY_TOKEN`);

const stopWatching =
  env.OPENCLAW_CONFIG_RELOAD === "1"
    ? watchGenerated(
        places.generated,
        async () => {
          const isNew = await writeConfig({ places, template, env, browserPath, log });
          if (isNew) log("info", "the runtime's configuration was taken over");
        },
        { log },
      )
    : () => {};

const status = await ended(gateway);
stopWatching();
browser?.kill("SIGTERM");
log(stopping.signal.aborted ? "info" : "error", "the gateway ended", { status });
process.exit(status);
