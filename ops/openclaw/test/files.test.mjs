import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { readJson, Unreadable } from "../lib/files.mjs";
import { makeLog } from "../lib/log.mjs";
import { watchGenerated } from "../lib/reload.mjs";
import { keep, pruneSessions, retention } from "../lib/sessions.mjs";
import { gitEnvironment, makeWorkspace, removeStaleLocks } from "../lib/workspace.mjs";

const NOW = Date.parse("2026-11-25T12:00:00Z");
const DAY = 86400000;
let folder;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gateway-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a retention is a number of days, or nothing", () => {
  assert.equal(retention(undefined), undefined);
  assert.equal(retention(" "), undefined);
  assert.equal(retention("0"), 0);
  assert.equal(retention("1.5"), 1.5);
  for (const text of ["x", "-1", "NaN"]) assert.throws(() => retention(text), /not a number/);
});

test("sessions that were not used for so long are forgotten", () => {
  const sessions = {
    new: { updatedAt: NOW - DAY },
    seconds: { updatedAt: String((NOW - DAY) / 1000) },
    old: { updatedAt: NOW - 8 * DAY },
    oldSeconds: { updatedAt: (NOW - 8 * DAY) / 1000 },
    undated: {},
  };
  assert.deepEqual(Object.keys(keep(sessions, 7, NOW)), ["new", "seconds", "undated"]);
  assert.deepEqual(keep(sessions, 0, NOW), {});
});

test("transcripts and files of another form stay", async () => {
  const sessions = join(folder, "agents", "a", "sessions");
  const broken = join(folder, "agents", "b", "sessions");
  for (const one of [sessions, broken]) await mkdir(one, { recursive: true });
  await writeFile(join(sessions, "sessions.json"), JSON.stringify({ old: { updatedAt: 1 } }));
  await writeFile(join(sessions, "old.jsonl"), "transcript");
  await writeFile(join(broken, "sessions.json"), "{");

  assert.equal(await pruneSessions(folder, 7, NOW), 1);
  assert.deepEqual(JSON.parse(await readFile(join(sessions, "sessions.json"), "utf8")), {});
  assert.equal(await readFile(join(sessions, "old.jsonl"), "utf8"), "transcript");
  assert.equal(await readFile(join(broken, "sessions.json"), "utf8"), "{");
  assert.equal(await pruneSessions(join(folder, "nowhere"), 7, NOW), 0);
});

test("the workspace has what agents expect, and what they wrote stays", async () => {
  await mkdir(join(folder, "agents", "engineer"), { recursive: true });
  await writeFile(join(folder, "BOOTSTRAP.md"), "introduce yourself");
  await writeFile(join(folder, "MEMORY.md"), "mine");

  await makeWorkspace(folder, "2026-11-25");

  const names = await readdir(folder);
  for (const name of ["memory", "deliverables", "repos", "worktrees", "agents"]) assert.ok(names.includes(name));
  assert.ok(!names.includes("BOOTSTRAP.md"));
  assert.equal(await readFile(join(folder, "MEMORY.md"), "utf8"), "mine");
  for (const root of [folder, join(folder, "agents", "engineer")]) {
    assert.deepEqual((await readdir(join(root, "memory"))).sort(), ["2026-11-25.md", "WORKING.md"]);
  }
});

test("stale locks go, and files of such names that are somebody's work stay", async () => {
  const data = join(folder, "data");
  const clawd = join(folder, "clawd");
  const gone = [
    "data/browser/x/SingletonLock", "data/agents/a/sessions/s.lock", "data/gateway.1.lock",
    "clawd/repos/r/.git/index.lock",
  ];
  const kept = ["data/workspace-main/yarn.lock", "data/extensions/e/x.lock", "clawd/repos/r/Cargo.lock", "data/openclaw.json"];
  for (const name of [...gone, ...kept]) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), "");
  }

  await removeStaleLocks(data, clawd);

  for (const name of gone) await assert.rejects(stat(join(folder, name)), name);
  for (const name of kept) await stat(join(folder, name));
});

test("git asks nobody, and the token stays in the environment", async () => {
  const found = await gitEnvironment({ GITHUB_TOKEN: "secret" }, folder);
  assert.equal(found.GH_TOKEN, "secret");
  assert.equal(found.GIT_TERMINAL_PROMPT, "0");
  assert.ok(!(await readFile(found.GIT_ASKPASS, "utf8")).includes("secret"));
  assert.equal((await stat(found.GIT_ASKPASS)).mode & 0o777, 0o700);
  assert.equal((await gitEnvironment({}, folder)).GIT_ASKPASS, undefined);
});

test("no line of the log holds a secret", () => {
  const lines = [];
  const log = makeLog({ A_TOKEN: 'se"cret', SOME_KEY: "abcd", PATH: "/bin" }, (line) => lines.push(line));
  log("info", 'the token is se"cret', { key: "xabcdx", path: "/bin" });
  assert.ok(!lines[0].includes("abcd") && !lines[0].includes("cret"));
  assert.equal(JSON.parse(lines[0]).path, "/bin");
});

test("a generated file is taken over at first, when it appears, when it changes, and after a failure", async () => {
  const file = join(folder, "openclaw.json");
  const lines = [];
  let calls = 0;
  let fails = 0;
  const stop = watchGenerated(
    file,
    async () => {
      calls += 1;
      if (fails-- > 0) throw new Error("disk full");
    },
    { everyMs: 10, log: (level, text) => lines.push(text) },
  );
  const until = async (count) => {
    for (let round = 0; round < 200 && calls < count; round += 1) await new Promise((r) => setTimeout(r, 10));
    assert.equal(calls, count);
    await new Promise((r) => setTimeout(r, 50));
    assert.equal(calls, count);
  };
  try {
    await until(1);
    await writeFile(`${file}.new`, "{}");
    await rename(`${file}.new`, file);
    await until(2);
    fails = 1;
    await utimes(file, new Date(NOW), new Date(NOW));
    await until(4);
    assert.match(lines[0], /not taken over: disk full/);
  } finally {
    stop();
  }
});

test("only a file that is not there counts as none", async () => {
  assert.equal(await readJson(join(folder, "nothing.json")), undefined);
  await writeFile(join(folder, "a.json"), "{ // a comment\n}");
  await assert.rejects(readJson(join(folder, "a.json")), Unreadable);
  await mkdir(join(folder, "b.json"));
  await assert.rejects(readJson(join(folder, "b.json")), Unreadable);
});
