// Takes over what the runtime generates anew. The gateway itself reads its configuration again when the
// file changes, so nothing is restarted and no turn is cut off.

import { stat } from "node:fs/promises";

const EVERY_MS = 5000;

export function watchGenerated(file, onChange, { everyMs = EVERY_MS } = {}) {
  let known;
  let isBusy = false;
  const look = async () => {
    if (isBusy) return;
    isBusy = true;
    const found = await stat(file).then((one) => one.mtimeMs, () => undefined);
    // A file that appears for the first time is a change as well.
    const hasChanged = known !== undefined && found !== known.mtime;
    known = { mtime: found };
    try {
      if (hasChanged) await onChange();
    } finally {
      isBusy = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), everyMs);
  return () => clearInterval(timer);
}
