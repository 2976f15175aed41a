// Which models the agents use unless they name one, by the keys that there are.

const VERCEL = "vercel-ai-gateway";
const VERCEL_URL = "https://ai-gateway.vercel.sh/v1";
const OURS = {
  "minimax/minimax-m2.5": { alias: "minimax", context: 196608 },
  "anthropic/claude-haiku-4.5": { alias: "haiku", context: 200000 },
  "moonshotai/kimi-k2.5": { alias: "kimi", context: 262144 },
  "openai/gpt-5-nano": { alias: "nano", context: 400000 },
};
const PREFIXED = Object.keys(OURS).map((name) => `${VERCEL}/${name}`);

const isSet = (text) => (text ?? "").trim() !== "";

// The same rule as the runtime's: either name of the key means the Vercel AI gateway.
export const hasVercel = (env) =>
  isSet(env.VERCEL_AI_GATEWAY_API_KEY) || isSet(env.AI_GATEWAY_API_KEY);

function wanted(env) {
  if (hasVercel(env)) return { primary: PREFIXED[0], fallbacks: PREFIXED.slice(1) };
  const haiku = "anthropic/claude-haiku-4.5";
  const nano = "openai/gpt-5-nano";
  if (isSet(env.ANTHROPIC_API_KEY)) {
    return { primary: haiku, fallbacks: isSet(env.OPENAI_API_KEY) ? [nano] : [] };
  }
  return isSet(env.OPENAI_API_KEY) ? { primary: nano, fallbacks: [] } : undefined;
}

// Not a plugin: as a provider of its own the key is named and not written.
function provider() {
  return {
    baseUrl: VERCEL_URL,
    apiKey: "${AI_GATEWAY_API_KEY}",
    api: "openai-completions",
    models: Object.entries(OURS).map(([id, { context }]) => ({
      id,
      name: id,
      reasoning: false,
      input: ["text"],
      cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      contextWindow: context,
      maxTokens: 8192,
    })),
  };
}

// Set the default model, the aliases and the provider; returns notes for people.
export function chooseModels(config, env) {
  const defaults = config.agents.defaults;
  const isOurs = (name) => !name || name in OURS || PREFIXED.includes(name);
  const model = wanted(env);
  const providers = { ...config.models?.providers };
  delete providers[VERCEL];
  if (hasVercel(env)) providers[VERCEL] = provider();
  if (Object.keys(providers).length > 0) config.models = { ...config.models, providers };
  else if (config.models) delete config.models.providers;
  // Somebody else's choice stays.
  if (!isOurs(defaults.model?.primary)) return [];
  const aliases = Object.entries(defaults.models ?? {}).filter(([name]) => !isOurs(name));
  if (model === undefined) {
    delete defaults.model;
    defaults.models = Object.fromEntries(aliases);
    return [
      "No key of a model provider is set (VERCEL_AI_GATEWAY_API_KEY, ANTHROPIC_API_KEY or " +
        "OPENAI_API_KEY): the gateway starts, but agents cannot answer.",
    ];
  }
  defaults.model = model;
  const named = [model.primary, ...model.fallbacks].map((name) => [
    name,
    { alias: OURS[name.replace(`${VERCEL}/`, "")].alias },
  ]);
  defaults.models = Object.fromEntries([...aliases, ...named]);
  return [];
}
