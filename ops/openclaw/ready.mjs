// The health check of the container: exit status 0 when the gateway is ready.

import { PORT } from "./lib/config.mjs";

try {
  const answer = await fetch(`http://127.0.0.1:${PORT}/readyz`, { signal: AbortSignal.timeout(4000) });
  if (!answer.ok) process.stderr.write(`${await answer.text()}\n`);
  process.exit(answer.ok ? 0 : 1);
} catch (error) {
  process.stderr.write(`no answer: ${error.cause?.code ?? error.message}\n`);
  process.exit(1);
}
