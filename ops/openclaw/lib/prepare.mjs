// Everything between an empty container and a gateway that can start.

import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

import { agentIds, mergeConfig } from "./config.mjs";
import { readJson, remove, Unreadable, writeWhole } from "./files.mjs";
import { pruneSessions, retention } from "./sessions.mjs";

const run = promisify(execFile);
const BROUGHT = "mission-control-generated.json";
const CLONE_LIMIT_MS = 300000;

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

// Merge and write the configuration; returns whether the file has changed. A generated file that cannot
// be read is left out; the gateway's own is never replaced unread.
export async function writeConfig({ places, template, env, browserPath, log }) {
  const generated = await readJson(places.generated).catch((error) => {
    if (!(error instanceof Unreadable)) throw error;
    log("warn", `${error.message}: it is left out`);
    return undefined;
  });
  const { config, notes, brought } = mergeConfig({
    existing: await readJson(places.config),
    template,
    generated,
    brought: await readJson(places.brought).catch(() => undefined),
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
export async function fetchRepository({ places, env, git, log, signal }) {
  const url = (env.OPENCLAW_WORKSPACE_REPOSITORY ?? "").trim();
  if (!url) return;
  if (/^[a-z]+:\/\/[^/@]*:[^/@]*@/.test(url)) {
    log("warn", "OPENCLAW_WORKSPACE_REPOSITORY holds a password, which everybody could read: use GH_TOKEN");
    return;
  }
  const folder = join(places.workspace, "repos", basename(url).replace(/\.git$/, ""));
  const draft = `${folder}.new`;
  try {
    // What was cut off in the middle is thrown away; only a whole clone gets its name.
    await remove(draft);
    if (!(await exists(folder))) {
      const options = { env: { ...env, ...git }, timeout: CLONE_LIMIT_MS, signal };
      await run("git", ["clone", "--quiet", "--", url, draft], options);
      await rename(draft, folder);
    }
    for (const name of ["AGENTS.md", "HEARTBEAT.md"]) {
      const source = join(folder, "docs", "runtime", name);
      if (await exists(source)) await copyFile(source, join(places.workspace, name));
    }
  } catch (error) {
    log("warn", "the repository cannot be used: agents cannot open pull requests there", {
      folder,
      reason: error.code ?? error.name,
    });
  }
}

export async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}
