// Log lines of the start program: one JSON object each, without secrets.

const SECRETS = /(?:token|key|secret|password)/i;

export function makeLog(env, write = (line) => process.stdout.write(line)) {
  const values = Object.entries(env)
    .filter(([name, value]) => SECRETS.test(name) && value && value.length >= 4)
    .map(([, value]) => value)
    .sort((one, other) => other.length - one.length);
  return (level, message, fields = {}) => {
    let line = JSON.stringify({ time: new Date().toISOString(), level, process: "gateway-start", message, ...fields });
    for (const value of values) line = line.replaceAll(JSON.stringify(value).slice(1, -1), "***");
    write(`${line}\n`);
  };
}
