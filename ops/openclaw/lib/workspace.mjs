// Folders and notes that agents expect, stale locks, and git without prompts.

import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { remove, touch } from "./files.mjs";

const FOLDERS = ["memory", "deliverables", "repos", "worktrees", "agents"];
const LOCKS = ["SingletonLock", "SingletonSocket", "SingletonCookie"];

export async function makeWorkspace(root, today) {
  await remove(join(root, "BOOTSTRAP.md"));
  for (const name of FOLDERS) await mkdir(join(root, name), { recursive: true });
  for (const name of ["MEMORY.md", "memory/WORKING.md", `memory/${today}.md`]) {
    await touch(join(root, name));
  }
  for (const entry of await list(join(root, "agents"))) {
    if (!entry.isDirectory()) continue;
    const folder = join(root, "agents", entry.name);
    await mkdir(join(folder, "memory"), { recursive: true });
    for (const name of ["MEMORY.md", "memory/WORKING.md", `memory/${today}.md`]) {
      await touch(join(folder, name));
    }
  }
}

// A container that was killed leaves the locks of its processes behind: those of the browser, of the
// gateway's sessions, and of git in the repositories. Other files of such names are somebody's work.
export async function removeStaleLocks(data, workspace) {
  const found = [];
  for (const profile of await list(join(data, "browser"))) {
    for (const name of LOCKS) found.push(join(data, "browser", profile.name, name));
  }
  for (const agent of await list(join(data, "agents"))) {
    const sessions = join(data, "agents", agent.name, "sessions");
    for (const entry of await list(sessions)) {
      if (entry.name.endsWith(".lock")) found.push(join(sessions, entry.name));
    }
  }
  for (const entry of await list(data)) {
    if (entry.isFile() && /^gateway.*\.lock$/.test(entry.name)) found.push(join(data, entry.name));
  }
  for (const repository of await list(join(workspace, "repos"))) {
    found.push(join(workspace, "repos", repository.name, ".git", "index.lock"));
  }
  for (const file of found) await remove(file);
}

// Returns the variables by which git works without asking anybody; the token stays where it is.
export async function gitEnvironment(env, folder) {
  const name = env.GIT_AUTHOR_NAME || "OpenClaw Agent";
  const email = env.GIT_AUTHOR_EMAIL || "openclaw-agent@users.noreply.github.com";
  const found = {
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
  };
  const token = env.GH_TOKEN || env.GITHUB_TOKEN;
  if (!token) return found;
  const helper = join(folder, "git-askpass.sh");
  await mkdir(folder, { recursive: true });
  await writeFile(
    helper,
    '#!/bin/sh\ncase "$1" in\n  Username*) echo x-access-token ;;\n  *) echo "$GH_TOKEN" ;;\nesac\n',
  );
  await chmod(helper, 0o700);
  return { ...found, GH_TOKEN: token, GITHUB_TOKEN: token, GIT_ASKPASS: helper };
}

async function list(folder) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
