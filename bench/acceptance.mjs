// Measures the schedule in real time: runs the clients of a workload file through the real proxy, in front of a simulator
// with the file's provider, and compares the figures with those in simulated time (docs/schedule.md).
//   node bench/acceptance.mjs [--workload FILE]... [--seconds 120] [--together 1]
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startProxy, startSim } from '../tests/clients/support.mjs';
import { Clients } from './workload_clients.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const quota = process.env.COOLDOWN_QUOTA ?? join(root, 'build/release/quota');
const folder = join(root, 'bench/quota/workloads');
const usual = ['J1', 'K1', 'M2', 'S2a', 'T6', 'T8'];
// Time to the first token of streams, and added to the time of every answer's tokens.
const ttft = '100'; // ms

const bench = (file, seconds, ...more) =>
  JSON.parse(execFileSync(quota, ['--workload', file, '--seconds', seconds, '--seeds', '3', ...more], { encoding: 'utf8' }));

function configuration({ configured: { rpm, tpm, ...others }, clients }) {
  const rules = [];
  let client = 0;
  for (const group of clients) {
    for (let i = 0; i < (group.one_client ? 1 : group.connections); i += 1) {
      client += 1;
      if (group.weight !== 1) rules.push({ match: { user: `c${client}` }, weight: group.weight });
    }
  }
  const limits = Object.keys(others).length > 0 ? { default: { rpm, tpm, ...others } } : {};
  return { rpm_limit: rpm, tpm_limit: tpm, limits, clients: rules };
}

function percentile(values, p) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(Math.ceil(p * sorted.length), 1) - 1];
}

// As in bench/quota/outcome.cpp: 1 if all clients got the same part of their weighted max-min fair share.
function jain(clients) {
  const parts = [];
  for (const model of new Set(clients.map((c) => c.model))) {
    const all = clients.filter((c) => c.model === model);
    let total = all.reduce((sum, c) => sum + c.tokens, 0);
    let weights = all.reduce((sum, c) => sum + c.weight, 0);
    const wish = new Map(all.map((c) => [c, c.endless ? total : c.asked]));
    for (const c of all.toSorted((a, b) => wish.get(a) / a.weight - wish.get(b) / b.weight)) {
      const fair = Math.min((total * c.weight) / weights, wish.get(c));
      total -= fair;
      weights -= c.weight;
      if (fair > 0) parts.push(c.tokens / fair);
    }
  }
  const sum = parts.reduce((a, b) => a + b, 0);
  const squares = parts.reduce((a, b) => a + b * b, 0);
  return squares > 0 ? sum ** 2 / (parts.length * squares) : NaN;
}

function counted(models) {
  const all = Object.values(models);
  const sum = (...keys) => all.reduce((total, m) => total + keys.reduce((some, key) => some + m[key], 0), 0);
  return {
    admitted: sum('admissions'),
    refused: sum('refusals', 'refusals_load'),
    tokens: sum('input_tokens', 'output_tokens'),
  };
}

async function run(file, seconds) {
  const workload = bench(file, seconds, '--describe');
  if (workload.restarts > 0 || workload.clock_ahead_s !== 0) throw new Error(`${file}: events and clocks are not for real time`);
  const models = Math.max(...workload.clients.map((group) => group.model)) + 1;
  const names = Array.from({ length: models }, (_, i) => ['--model', `m${i}`]).flat();
  const sim = await startSim('--quiet', '--provider', file, ...names, '--ttft', ttft);
  let proxy;
  try {
    proxy = await startProxy(sim.origin, { cerebras: configuration(workload) });
    const clients = new Clients(proxy.origin, workload, seconds);
    const end = await clients.run();
    const provider = counted((await sim.stats()).models);
    await end();
    return { workload, provider, seen: clients.seen, simulated: bench(file, seconds, '--json') };
  } finally {
    await proxy?.stop();
    await sim.stop();
  }
}

const shown = (value, digits) => (value === undefined || value === null || Number.isNaN(value) ? '-' : value.toFixed(digits));

function print({ workload, provider, seen, simulated }) {
  const cells = [
    workload.name,
    ...[provider.tokens / workload.possible_tokens, simulated.share].map((v) => shown(v, 3)),
    ...[provider.refused / Math.max(provider.admitted, 1), simulated.upstream_429_per_admission].map((v) => shown(v, 4)),
    `${seen.non200.length}`,
    shown(simulated.non_200, 0),
    ...[workload.unequal ? NaN : jain([...seen.clients.values()]), simulated.jain].map((v) => shown(v, 3)),
    ...[percentile(seen.watched, 0.95), simulated.watched_p95_s].map((v) => shown(v, 2)),
    `${provider.admitted}`,
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

const { values } = parseArgs({
  options: {
    workload: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '120' },
    together: { type: 'string', default: '1' },
  },
});
const known = readdirSync(folder);
const files = values.workload ?? usual.map((name) => join(folder, known.find((file) => file.startsWith(`${name}-`))));
console.log('| workload | share | simulated | 429/adm | simulated | non-200 | simulated | Jain | simulated | light p95 s | simulated | admitted |');
console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|');
while (files.length > 0) {
  const some = files.splice(0, Number(values.together));
  for (const result of await Promise.all(some.map((file) => run(file, Number(values.seconds))))) print(result);
}
console.error(`load average: ${loadavg().map((each) => each.toFixed(1)).join(' ')}`);
