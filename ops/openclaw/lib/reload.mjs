// Takes over what the runtime generates anew. The gateway itself reads its configuration again when the
// file changes, so nothing is restarted and no turn is cut off.

import { stat } from "node:fs/promises";

const EVERY_MS = 5000;

// The first look takes over as well: the file may have changed while the gateway was started. What goes
// wrong is told and tried again; the gateway runs on.
export function watchGenerated(file, onChange, { everyMs = EVERY_MS, log = () => {} } = {}) {
  let known = null;
  let isBusy = false;
  const look = async () => {
    if (isBusy) return;
    isBusy = true;
    try {
      const found = await stat(file).then((one) => one.mtimeMs, () => undefined);
      if (found === known) return;
      await onChange();
      known = found;
    } catch (error) {
      log("warn", `the runtime's configuration was not taken over: ${error.message}`);
    } finally {
      isBusy = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), everyMs);
  return () => clearInterval(timer);
}
