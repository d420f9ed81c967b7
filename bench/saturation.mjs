// Saturation: parallel clients of the npm openai SDK with its default settings, in a closed loop, ask for more than the
// quota through the proxy, and the simulator counts. Exits with 1 if any client sees an error.
//   node bench/saturation.mjs [--clients 24] [--seconds 60] [--tpm 60000] [--seed 1] [--keys 1] [-- cerebras-sim arguments]
//   node bench/saturation.mjs --dialect NAME|all [--clients 16] [--seconds 120] [--pin]
// --keys: so many accounts, each with the quota. --dialect: the provider as `cerebras-sim --dialect` plays it; one line
// each, four at a time. --pin: the configuration names the dialect, else answers alone have to show it.
// The npm packages are those of the client tests: run `scripts/test -R clients` once before.
import { spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { OpenAI, collect } from '../tests/clients/sdks.mjs';
import { programs, simulate, simulatedText, startProxy, startSim } from '../tests/clients/support.mjs';

// A small, fast random number generator with the same results everywhere (mulberry32).
function randomNumbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function count(counts, key) {
  counts[key] = (counts[key] ?? 0) + 1;
}

// One client: prompts of 25 to 500 tokens, replies of 30 to 100 % of a maximum of 100 to 400, half of them streamed.
async function runClient(origin, random, end, report) {
  const between = (low, high) => low + Math.floor(random() * (high - low));
  const client = new OpenAI({
    baseURL: `${origin}/v1`,
    apiKey: 'of-the-client',
    fetch: async (...request) => {
      const response = await fetch(...request);
      count(report.statuses, response.status);
      return response;
    },
  });
  while (performance.now() < end) {
    const most = between(100, 400);
    const tokens = between(Math.ceil(0.3 * most), most);
    const stream = random() < 0.5;
    const messages = [{ role: 'user', content: 'why '.repeat(between(25, 500)) }];
    const body = { model: 'test', messages, max_completion_tokens: most, stream };
    try {
      const answer = await client.chat.completions.create(body, simulate({ tokens }));
      const text = stream ? (await collect(answer)).text : answer.choices[0].message.content;
      if (text === simulatedText(tokens)) report.ok += 1;
      else count(report.errors, 'not the text of the reply');
    } catch (error) {
      count(report.errors, `${error.constructor.name} ${error.message}`);
    }
  }
}

// What the quota of one limit lets through in `seconds`: what is there at the start, and the refill.
function allowed({ limit }, name, seconds, refill) {
  const length = secondsOf(name);
  if (refill === 'bucket') return limit * (1 + seconds / length);
  return limit * Math.ceil(seconds / length);
}

// "requests-minute", "tokens-10s".
function secondsOf(name) {
  const window = name.slice(name.lastIndexOf('-') + 1);
  return { second: 1, minute: 60, hour: 3600, day: 86_400, month: 2_592_000 }[window] ?? Number.parseFloat(window);
}

function usedOf(model, name) {
  if (name.startsWith('requests')) return model.admissions;
  if (name.startsWith('input')) return model.input_tokens;
  if (name.startsWith('output')) return model.output_tokens;
  return model.tokens_used;
}

// The share of the limit that binds: no schedule admits more than 1. Without limits, NaN.
function quotaUsed({ level, ...model }, seconds, refill) {
  const shares = Object.entries(level).map(([name, each]) => usedOf(model, name) / allowed(each, name, seconds, refill));
  return shares.length > 0 ? Math.max(...shares) : NaN;
}

// What the provider counted, one for each account.
async function countsOf(sim, names) {
  const all = await Promise.all(names.map((name) => sim.stats(name)));
  return all.map(({ models, aborted, refill }) => ({ ...models.test, aborted, refill }));
}

function sumOf(counts, name) {
  return counts.reduce((sum, each) => sum + each[name], 0);
}

// Adds what the provider counted, at the end and, in a long run, after the first minute.
function addCounts(report, end, warm) {
  for (const name of ['admissions', 'refusals', 'aborted']) report[name] = sumOf(end, name);
  report.tokensPerSecond = sumOf(end, 'tokens_used') / report.seconds;
  report.quotaUsed = end.reduce((sum, each) => sum + quotaUsed(each, report.seconds, each.refill), 0) / end.length;
  report.share = report.refusals / report.admissions;
  if (!warm) return;
  report.shareWhenWarm = (report.refusals - sumOf(warm, 'refusals')) / (report.admissions - sumOf(warm, 'admissions'));
}

// Returns the results, as plain numbers.
export async function saturate({ clients = 24, seconds = 60, tpm, seed = 1, keys = 1, dialect, pin, simArguments = [] } = {}) {
  const known = tpm ?? (dialect ? 1_000_000 : 60_000);
  const provider = dialect ? ['--dialect', dialect, '--model', 'test'] : ['--model', `test,rpm=1000,tpm=${known}`];
  const names = Array.from({ length: keys }, (_, i) => `key-${i + 1}`);
  const sim = await startSim('--quiet', ...provider, ...names.flatMap((key) => ['--api-key', key]), ...simArguments);
  const report = { ok: 0, errors: {}, statuses: {} };
  let proxy;
  try {
    proxy = await startProxy(sim.origin, {
      cerebras: { tpm_limit: known, api_key: undefined, api_keys: names, ...(pin && { dialect }) },
    });
    const start = performance.now();
    const end = start + seconds * 1000;
    const runs = Array.from({ length: clients }, (_, i) =>
      runClient(proxy.origin, randomNumbers(seed * 1000 + i), end, report),
    );
    if (seconds > 60) await setTimeout(60_000);
    const warm = seconds > 60 && (await countsOf(sim, names));
    await Promise.all(runs);
    report.seconds = (performance.now() - start) / 1000;
    addCounts(report, await countsOf(sim, names), warm);
  } finally {
    await proxy?.stop();
    await sim.stop();
  }
  return report;
}

const percent = (share) => (Number.isNaN(share) ? '-' : `${(100 * share).toFixed(2)} %`);

export function print(report) {
  console.log(`requests ok            ${report.ok} in ${report.seconds.toFixed(1)} s`);
  console.log(`errors seen by clients ${JSON.stringify(report.errors)}`);
  console.log(`statuses received      ${JSON.stringify(report.statuses)}`);
  console.log(`upstream admissions    ${report.admissions}`);
  console.log(`upstream 429s          ${report.refusals} = ${percent(report.share)} of admissions`);
  console.log(`tokens per second      ${report.tokensPerSecond.toFixed(0)}`);
  console.log(`of the quota           ${percent(report.quotaUsed)}`);
}

// All dialects that the simulator plays, as its message about an unknown one lists them.
function allDialects() {
  const { stderr } = spawnSync(programs.sim, ['--dialect', '?'], { encoding: 'utf8' });
  return /is not one of (.+)/.exec(stderr)[1].split(', ');
}

async function runDialects(names, options) {
  const left = [...names];
  const good = [];
  const work = async () => {
    while (left.length > 0) {
      const dialect = left.shift();
      const report = await saturate({ clients: 16, seconds: 120, ...options, dialect });
      const { ok, errors, quotaUsed: used, share, shareWhenWarm: warm = share } = report;
      const columns = [dialect.padEnd(12), `${ok} ok`.padStart(8), percent(used).padStart(9), percent(share).padStart(8)];
      console.log(...columns, percent(warm).padStart(8), JSON.stringify(errors));
      good.push(ok > 0 && Object.keys(errors).length === 0);
    }
  };
  console.log('dialect            ok      quota     429s  429s after a minute, errors of clients');
  await Promise.all([work(), work(), work(), work()]);
  return good.every(Boolean);
}

async function main() {
  const text = { type: 'string' };
  const options = { clients: text, seconds: text, tpm: text, seed: text, keys: text, dialect: text, pin: { type: 'boolean' } };
  const { values, positionals: simArguments } = parseArgs({ options, allowPositionals: true });
  const { dialect, pin, ...numbers } = values;
  for (const name in numbers) numbers[name] = Number(numbers[name]);
  if (dialect) return runDialects(dialect === 'all' ? allDialects() : [dialect], { ...numbers, pin, simArguments });
  const report = await saturate({ ...numbers, simArguments });
  print(report);
  return Object.keys(report.errors).length === 0 && report.ok > 0;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = (await main()) ? 0 : 1;
