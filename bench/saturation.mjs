// Saturation: parallel clients of the npm openai SDK with its default settings, in a closed loop, ask for more than the
// quota through the proxy, and the simulator counts. Exits with 1 if any client sees an error.
//   node bench/saturation.mjs [--clients 24] [--seconds 60] [--tpm 60000] [--seed 1] [-- cerebras-sim arguments]
// The npm packages are those of the client tests: run `scripts/test -R clients` once before.
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { OpenAI, collect } from '../tests/clients/sdks.mjs';
import { simulate, simulatedText, startProxy, startSim } from '../tests/clients/support.mjs';

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

// Returns the results, as plain numbers.
export async function saturate({ clients = 24, seconds = 60, tpm = 60_000, seed = 1, simArguments = [] } = {}) {
  const sim = await startSim('--quiet', '--model', `test,rpm=1000,tpm=${tpm}`, ...simArguments);
  const report = { ok: 0, errors: {}, statuses: {} };
  let proxy;
  try {
    proxy = await startProxy(sim.origin, { cerebras: { tpm_limit: tpm } });
    const start = performance.now();
    const end = start + seconds * 1000;
    await Promise.all(
      Array.from({ length: clients }, (_, i) => runClient(proxy.origin, randomNumbers(seed * 1000 + i), end, report)),
    );
    report.seconds = (performance.now() - start) / 1000;
    const stats = await sim.stats();
    const { admissions, refusals, tokens_used: used } = stats.models.test;
    // A full bucket at the start, plus the refill.
    const quota = tpm + (tpm / 60) * report.seconds;
    Object.assign(report, { admissions, refusals, aborted: stats.aborted });
    Object.assign(report, { tokensPerSecond: used / report.seconds, quotaUsed: used / quota });
    report.share = refusals / admissions;
  } finally {
    await proxy?.stop();
    await sim.stop();
  }
  return report;
}

export function print(report) {
  const percent = (share) => `${(100 * share).toFixed(2)} %`;
  console.log(`requests ok            ${report.ok} in ${report.seconds.toFixed(1)} s`);
  console.log(`errors seen by clients ${JSON.stringify(report.errors)}`);
  console.log(`statuses received      ${JSON.stringify(report.statuses)}`);
  console.log(`upstream admissions    ${report.admissions}`);
  console.log(`upstream 429s          ${report.refusals} = ${percent(report.share)} of admissions`);
  console.log(`tokens per second      ${report.tokensPerSecond.toFixed(0)}`);
  console.log(`of the quota           ${percent(report.quotaUsed)}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = { type: 'string' };
  const options = { clients: text, seconds: text, tpm: text, seed: text };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const numbers = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value)]));
  const report = await saturate({ ...numbers, simArguments: positionals });
  print(report);
  process.exitCode = Object.keys(report.errors).length === 0 && report.ok > 0 ? 0 : 1;
}
