// Files that are written whole or not at all, and folders that must be there.

import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

// Only its owner may read it: what is written here is state and configuration.
export async function writeWhole(file, text) {
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.new`;
  const handle = await open(draft, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

export class Unreadable extends Error {
  constructor(file, reason) {
    super(`${file} cannot be read (${reason})`);
    this.file = file;
  }
}

// Returns the parsed file, or undefined when there is none. Whatever else keeps it from being read is an
// error: what cannot be read must not be replaced.
export async function readJson(file) {
  let text;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw new Unreadable(file, error.code);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreadable(file, "it is no JSON");
  }
}

export async function touch(file) {
  await mkdir(dirname(file), { recursive: true });
  await (await open(file, "a")).close();
}

export async function remove(file) {
  await rm(file, { force: true, recursive: true });
}
