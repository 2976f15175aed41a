// Makes the gateway's configuration anew at each start, from what is there, what is forced, and what
// the runtime generated. Pure: reads no file and no environment but what it is given.

import { chooseModels } from "./models.mjs";

export const PORT = 18789;
export const BROWSER_PORT = 18800;
const MOST_AT_ONCE = 16;
const USUAL_AT_ONCE = 10;
const SAFE_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

// Give an object at a path, making those that are missing or of another type.
function at(root, ...path) {
  let found = root;
  for (const name of path) {
    if (!isObject(found[name])) found[name] = {};
    found = found[name];
  }
  return found;
}

// Lay one object over another; lists and plain values of the upper one win.
export function overlay(lower, upper) {
  if (!isObject(lower) || !isObject(upper)) return structuredClone(upper);
  const found = structuredClone(lower);
  for (const [name, value] of Object.entries(upper)) found[name] = overlay(found[name], value);
  return found;
}

export function concurrency(text) {
  const number = Math.floor(Number(text));
  if (text === undefined || text.trim() === "" || !Number.isFinite(number)) return USUAL_AT_ONCE;
  return Math.min(MOST_AT_ONCE, Math.max(1, number));
}

// Turn what older versions wrote into the form of this one; what it does not know would stop it.
function modernise(config) {
  const agents = at(config, "agents");
  const defaults = at(agents, "defaults");
  if (typeof defaults.model === "string") {
    defaults.model = { primary: defaults.model, fallbacks: [] };
  }
  if (defaults.models !== undefined && !isObject(defaults.models)) delete defaults.models;
  if (Array.isArray(agents.list)) {
    for (const { id, default: _, ...entry } of agents.list.filter(isObject)) {
      if (SAFE_ID.test(id)) at(agents, "entries")[id] = entry;
    }
  }
  delete agents.list;
  if (isObject(agents.entries)) {
    for (const [id, entry] of Object.entries(agents.entries)) {
      if (!isObject(entry) || !SAFE_ID.test(id)) delete agents.entries[id];
    }
  }
  delete config.load;
  if (isObject(config.gateway?.controlUi)) delete config.gateway.controlUi.allowInsecureAuth;
}

const SECRET = /KEY|TOKEN|SECRET|PASSWORD/i;

// Secrets come from the environment of each start; none stays in the file after it was taken away.
function forgetSecrets(config) {
  const dropped = [];
  const forget = (found, where) => {
    if (!isObject(found)) return;
    for (const [name, value] of Object.entries(found)) {
      // A reference such as ${NAME} is no secret.
      if (SECRET.test(name) && typeof value === "string" && !/^\$\{\w+\}$/.test(value)) {
        delete found[name];
        dropped.push(`${where}.${name}`);
      }
    }
  };
  forget(config.env, "env");
  forget(config.env?.vars, "env.vars");
  forget(config.gateway?.auth, "gateway.auth");
  const profiles = config.auth?.profiles;
  for (const [name, profile] of Object.entries(isObject(profiles) ? profiles : {})) {
    forget(profile, `auth.profiles.${name}`);
  }
  if (isObject(config.env) && Object.keys(config.env).length === 0) delete config.env;
  return dropped;
}

function force(config, { env, browserPath, hasBrave }) {
  const gateway = at(config, "gateway");
  const hasToken = (env.OPENCLAW_GATEWAY_TOKEN ?? "").trim() !== "";
  gateway.mode = "local";
  gateway.port = PORT;
  // Without a token whoever reaches the port may do everything: then nobody outside reaches it.
  gateway.bind = hasToken ? "lan" : "loopback";
  gateway.auth = { ...gateway.auth, mode: hasToken ? "token" : "none" };
  at(gateway, "http", "endpoints", "responses").enabled = true;
  const defaults = at(config, "agents", "defaults");
  defaults.contextPruning = { ...defaults.contextPruning, mode: "cache-ttl", ttl: "5m" };
  defaults.skipBootstrap = true;
  // Mission Control wakes the agents itself.
  defaults.heartbeat = { every: "0m" };
  // Request tools would be hidden from the model.
  at(config, "tools").toolSearch = false;
  if (env.OPENCLAW_TOOLS_PROFILE) config.tools.profile = env.OPENCLAW_TOOLS_PROFILE;
  config.tools.profile ??= "coding";
  const timeout = Number(env.OPENCLAW_REQUEST_TIMEOUT_MS);
  // Not below what the runtime waits for.
  if (timeout > 0) {
    defaults.timeoutSeconds = Math.max(defaults.timeoutSeconds || 0, Math.ceil(timeout / 1000));
  }
  const web = at(config, "tools", "web");
  if (env.BRAVE_API_KEY && hasBrave) {
    web.search = { enabled: true, provider: "brave", maxResults: 5, timeoutSeconds: 30 };
  } else if (web.search?.provider === "brave") {
    // A provider that is not there stops the gateway.
    delete web.search;
  }
  const commands = at(config, "commands");
  commands.native ??= "auto";
  commands.nativeSkills ??= "auto";
  at(config, "skills", "install").nodeManager ??= "npm";
  config.browser = browserPath
    ? {
        enabled: true, headless: true, noSandbox: true, attachOnly: true,
        defaultProfile: "openclaw", executablePath: browserPath,
        profiles: { ...config.browser?.profiles, openclaw: { cdpPort: BROWSER_PORT } },
      }
    : { enabled: false };
}

// Lay the runtime's configuration over; what an earlier one had brought and this one has not goes.
function adopt(config, generated, brought) {
  const before = {
    skills: Array.isArray(brought?.skills) ? brought.skills : [],
    folders: Array.isArray(brought?.folders) ? brought.folders : [],
  };
  const now = { skills: [], folders: [] };
  const skills = at(config, "skills", "entries");
  const given = isObject(generated?.skills) ? generated.skills : {};
  const entries = isObject(given.entries) ? given.entries : {};
  now.skills = Object.keys(entries).filter((name) => isObject(entries[name]));
  for (const name of before.skills) if (!now.skills.includes(name)) delete skills[name];
  // Whoever has switched a skill off means it.
  for (const name of now.skills) if (skills[name]?.enabled !== false) skills[name] = entries[name];

  now.folders = Array.isArray(given.load?.extraDirs) ? given.load.extraDirs : [];
  const own = config.skills.load?.extraDirs;
  const kept = (Array.isArray(own) ? own : []).filter((one) => !before.folders.includes(one));
  const folders = [...new Set([...kept, ...now.folders])];
  if (folders.length > 0) at(config, "skills", "load").extraDirs = folders;
  else if (config.skills.load) delete config.skills.load.extraDirs;
  if (config.skills.load && Object.keys(config.skills.load).length === 0) delete config.skills.load;

  const agents = at(config, "agents");
  if (isObject(generated?.agents?.entries)) agents.entries = valid(generated.agents.entries);
  if (isObject(generated?.agents?.defaults)) {
    agents.defaults = overlay(agents.defaults, generated.agents.defaults);
  }
  return now;
}

function valid(entries) {
  const well = Object.entries(entries).filter(([id, entry]) => SAFE_ID.test(id) && isObject(entry));
  return structuredClone(Object.fromEntries(well));
}

// Returns {config, notes, brought}: brought are the skills and folders of the generated configuration.
export function mergeConfig({ existing, template, generated, brought, env, browserPath, hasBrave = false }) {
  const config = isObject(existing) ? structuredClone(existing) : structuredClone(template);
  const notes = [];
  modernise(config);
  const dropped = forgetSecrets(config);
  if (dropped.length > 0) {
    notes.push(`These stood in openclaw.json and are gone; set them in the environment: ${dropped.join(", ")}`);
  }
  force(config, { env, browserPath, hasBrave });
  notes.push(...chooseModels(config, env));
  const own = config.agents.defaults.maxConcurrent;
  const skills = adopt(config, generated, brought);
  const defaults = at(config, "agents", "defaults");
  // Said by the environment, else by the file, else the usual.
  defaults.maxConcurrent = concurrency(env.OPENCLAW_MAX_CONCURRENT ?? String(own ?? ""));
  if (!isObject(config.agents.entries) || Object.keys(config.agents.entries).length === 0) {
    config.agents.entries = { main: {} };
  }
  config.agents.ownership = "explicit";
  if (env.BRAVE_API_KEY && !hasBrave) {
    notes.push(
      "BRAVE_API_KEY is set, but this gateway has no plugin for it: run `openclaw plugins install " +
        "@openclaw/brave-plugin` in the container and restart it.",
    );
  }
  if (config.gateway.bind === "loopback") {
    notes.push(
      "OPENCLAW_GATEWAY_TOKEN is empty: the gateway listens inside its container only, and neither " +
        "the runtime nor this machine reaches it. Set one in .env.",
    );
  }
  return { config, notes, brought: skills };
}

export function agentIds(config) {
  return Object.keys(config.agents?.entries ?? {}).filter((id) => SAFE_ID.test(id));
}
