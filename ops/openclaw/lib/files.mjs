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

// Returns the parsed file, or undefined when there is none or it cannot be read.
export async function readJson(file, { onBroken } = {}) {
  let text;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    onBroken?.(file);
    return undefined;
  }
}

export async function touch(file) {
  await mkdir(dirname(file), { recursive: true });
  await (await open(file, "a")).close();
}

export async function remove(file) {
  await rm(file, { force: true, recursive: true });
}
