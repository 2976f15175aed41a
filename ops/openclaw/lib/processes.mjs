// The processes of the container: the gateway, and a browser beside it.

import { spawn } from "node:child_process";
import { access, mkdir } from "node:fs/promises";
import { constants } from "node:fs";
import { delimiter, join } from "node:path";

import { BROWSER_PORT } from "./config.mjs";

const BROWSERS = ["brave-browser", "chromium", "chromium-browser"];
const BROWSER_STARTS_MS = 2000;

export async function findBrowser(env) {
  if (env.OPENCLAW_BROWSER_EXECUTABLE_PATH) return env.OPENCLAW_BROWSER_EXECUTABLE_PATH;
  for (const name of BROWSERS) {
    for (const folder of (env.PATH ?? "").split(delimiter)) {
      const path = join(folder, name);
      try {
        await access(path, constants.X_OK);
        return path;
      } catch {
        // Not there; the next one may be.
      }
    }
  }
  return undefined;
}

export async function startBrowser(path, folder, { env, log, start = spawn }) {
  await mkdir(folder, { recursive: true });
  const browser = start(
    path,
    [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--remote-debugging-address=127.0.0.1", `--remote-debugging-port=${BROWSER_PORT}`,
      `--user-data-dir=${folder}`, "about:blank",
    ],
    // It shows pages of strangers: it knows no key.
    { stdio: "ignore", env: { PATH: env.PATH, HOME: env.HOME, LANG: env.LANG ?? "C.UTF-8" } },
  );
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, BROWSER_STARTS_MS);
    browser.once("error", () => resolve(clearTimeout(timer)));
    browser.once("exit", () => resolve(clearTimeout(timer)));
  });
  if (browser.exitCode !== null || browser.signalCode !== null || browser.pid === undefined) {
    log("warn", "the browser did not start: web tools of agents will fail", { path });
    return undefined;
  }
  browser.once("exit", (code) => log("warn", "the browser ended: web tools of agents will fail", { code }));
  return browser;
}

// Its token comes from the environment: everybody may read a command line.
export function startGateway({ env, command, start = spawn }) {
  return start(command[0], [...command.slice(1), "gateway", "run"], { stdio: "inherit", env });
}

// Resolves with the exit status of a process, by the rules of a shell.
export function ended(child) {
  return new Promise((resolve) => {
    child.once("error", () => resolve(127));
    child.once("exit", (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  });
}

function signalNumber(signal) {
  return { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }[signal] ?? 0;
}
