// Forgets old sessions: entries of sessions.json that were not used for so many days. Transcripts stay.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeWhole } from "./files.mjs";

const DAY_MS = 86400000;
const SECONDS_BELOW = 1e11;

// Returns the days, undefined when nothing is to be forgotten, or throws when it is no number.
export function retention(text) {
  if (text === undefined || text.trim() === "") return undefined;
  const days = Number(text);
  if (!Number.isFinite(days) || days < 0) {
    throw new Error(`OPENCLAW_SESSION_RETENTION_DAYS is ${JSON.stringify(text)}, not a number of days`);
  }
  return days;
}

export function keep(sessions, days, nowMs) {
  if (days === 0) return {};
  return Object.fromEntries(
    Object.entries(sessions).filter(([, entry]) => {
      const at = Number(entry?.updatedAt);
      if (entry?.updatedAt === undefined || !Number.isFinite(at)) return true;
      return nowMs - (at < SECONDS_BELOW ? at * 1000 : at) <= days * DAY_MS;
    }),
  );
}

export async function pruneSessions(root, days, nowMs) {
  let dropped = 0;
  for (const file of await sessionFiles(root)) {
    let sessions;
    try {
      sessions = JSON.parse(await readFile(file, "utf8"));
    } catch {
      continue;
    }
    if (sessions === null || typeof sessions !== "object" || Array.isArray(sessions)) continue;
    const kept = keep(sessions, days, nowMs);
    const gone = Object.keys(sessions).length - Object.keys(kept).length;
    if (gone > 0) await writeWhole(file, JSON.stringify(kept, null, 2));
    dropped += gone;
  }
  return dropped;
}

async function sessionFiles(root) {
  let found;
  try {
    found = await readdir(join(root, "agents"), { withFileTypes: true });
  } catch {
    return [];
  }
  return found
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(root, "agents", entry.name, "sessions", "sessions.json"));
}
