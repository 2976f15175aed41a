// Everything between an empty container and a gateway that can start.

import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

import { agentIds, mergeConfig } from "./config.mjs";
import { readJson, writeWhole } from "./files.mjs";
import { pruneSessions, retention } from "./sessions.mjs";

const run = promisify(execFile);
const BROUGHT = "mission-control-skills.json";

export function placesOf(env) {
  const data = env.OPENCLAW_DATA_ROOT || "/root/.openclaw";
  const agents = env.OPENCLAW_WORKSPACE_ROOT || "/root/clawd/agents";
  const workspace = dirname(agents);
  return {
    data,
    workspace,
    config: join(data, "openclaw.json"),
    brought: join(data, BROUGHT),
    generated: join(workspace, "openclaw.json"),
  };
}

// Merge and write the configuration; returns whether the file has changed.
export async function writeConfig({ places, template, env, browserPath, log }) {
  const onBroken = (file) => log("warn", "this file cannot be read and is left out", { file });
  const { config, notes, brought } = mergeConfig({
    existing: await readJson(places.config, { onBroken }),
    template,
    generated: await readJson(places.generated, { onBroken }),
    brought: (await readJson(places.brought)) ?? [],
    env,
    browserPath,
    hasBrave: await exists(join(places.data, "extensions", "brave")),
  });
  for (const note of notes) log("warn", note);
  const text = `${JSON.stringify(config, null, 2)}\n`;
  await writeWhole(places.brought, JSON.stringify(brought));
  const isNew = text !== (await readFile(places.config, "utf8").catch(() => ""));
  if (isNew) await writeWhole(places.config, text);
  for (const id of agentIds(config)) {
    await mkdir(join(places.data, "agents", id, "sessions"), { recursive: true });
    if (!config.agents.entries[id].workspace) {
      await mkdir(join(places.data, `workspace-${id}`), { recursive: true });
    }
  }
  return isNew;
}

export async function forgetOldSessions({ places, env, log, nowMs }) {
  let days;
  try {
    days = retention(env.OPENCLAW_SESSION_RETENTION_DAYS);
  } catch (error) {
    log("warn", `${error.message}: no session is forgotten`);
    return;
  }
  if (days === undefined) return;
  const dropped = await pruneSessions(places.data, days, nowMs);
  log("info", "old sessions were forgotten", { dropped, days });
}

// The repository that agents work on, when one is named; its manuals are laid into the workspace.
export async function fetchRepository({ places, env, git, log }) {
  const url = (env.OPENCLAW_WORKSPACE_REPOSITORY ?? "").trim();
  if (!url) return;
  const folder = join(places.workspace, "repos", basename(url).replace(/\.git$/, ""));
  try {
    if (!(await exists(folder))) {
      await run("git", ["clone", "--quiet", url, folder], { env: { ...env, ...git }, timeout: 300000 });
    }
  } catch {
    log("warn", "the repository could not be cloned: agents cannot open pull requests there", { folder });
    return;
  }
  for (const name of ["AGENTS.md", "HEARTBEAT.md"]) {
    const source = join(folder, "docs", "runtime", name);
    if (await exists(source)) await copyFile(source, join(places.workspace, name));
  }
}

export async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}
