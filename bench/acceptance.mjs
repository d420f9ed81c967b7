// The schedule in real time: parallel clients in a closed loop ask for more than the quota, through the real binary in
// front of a simulator, once for each kind of quota. Prints what share of the quota was used, how many upstream 429s
// there were and whether any client saw one.
//   node bench/acceptance.mjs [--seconds 60] [--clients 24] [--tpm 60000] [--only TEXT] [--together 4]
import { parseArgs } from 'node:util';

import { startProxy, startSim } from '../tests/clients/support.mjs';

const model = (tpm, more = '') => ['--model', `m,tpm=${tpm}${more}`];

// `quota(seconds)`: the most that anybody could use, in tokens (or requests, where `requests`).
function workloads(tpm) {
  const bucket = (seconds) => tpm * (1 + seconds / 60);
  const windows = (seconds, start) => {
    const first = Math.floor(start / 60_000);
    const last = Math.floor((start + seconds * 1000) / 60_000);
    return tpm * (last - first + 1);
  };
  const sliding = (seconds) => tpm * Math.ceil((seconds - 1) / 60); // clients stop a moment late
  const telling = ['--headers', 'resets', '--refusal', 'headers'];
  const half = tpm / 2;
  const rpm = 60;
  const requests = (seconds) => rpm * (1 + seconds / 60);
  return [
    { name: 'bucket, no resets', sim: model(tpm), quota: bucket, want: [0.98, 0.005] },
    { name: 'bucket, resets', sim: [...model(tpm), ...telling], quota: bucket, want: [0.98, 0.005] },
    { name: 'window, no resets', sim: [...model(tpm), '--refill', 'window'], quota: windows, want: [0.97, 0.005] },
    { name: 'window, resets', sim: [...model(tpm), '--refill', 'window', ...telling], quota: windows, want: [0.97, 0.005] },
    { name: 'sliding, no resets', sim: [...model(tpm), '--refill', 'sliding'], quota: sliding, want: [0.95, 0.01] },
    { name: 'sliding, resets', sim: [...model(tpm), '--refill', 'sliding', ...telling], quota: sliding, want: [0.95, 0.01] },
    { name: 'large maxima, small use', sim: model(tpm), quota: bucket, maxima: [4000, 12_000], want: [0.95, 0.01] },
    {
      name: 'rpm-bound, configured right',
      sim: [...model(10_000_000, `,rpm=${rpm}`), '--headers', 'resets'],
      config: { rpm_limit: rpm, tpm_limit: 10_000_000 },
      quota: requests,
      requests: true,
      want: [0.97, 0.005],
    },
    {
      name: 'rpm-bound, configured 5 times too high',
      sim: [...model(10_000_000, `,rpm=${rpm}`), '--headers', 'resets'],
      config: { rpm_limit: 5 * rpm, tpm_limit: 10_000_000 },
      quota: requests,
      requests: true,
      want: [0.9, 0.03],
    },
    {
      name: 'tpm configured 60 times too low',
      sim: model(tpm),
      config: { tpm_limit: Math.round(tpm / 60) },
      quota: bucket,
      want: [0.97, 0.005],
    },
    {
      name: 'live: measured cost, two buckets',
      sim: [
        ...model(tpm, ',rpm=300,rph=9000,rpd=100000,tph=1000000,tpd=10000000'),
        ...['--headers', 'two-buckets', '--cost', 'measured'],
      ],
      config: { rpm_limit: 300 },
      quota: bucket,
      maxima: [500, 4000],
      want: [0.9, 0.02],
    },
    {
      name: 'foreign consumer takes half',
      sim: [...model(tpm), '--foreign', String(half)],
      quota: (seconds) => tpm + (half * seconds) / 60,
      want: [0.9, 0.05],
    },
    { name: 'headers vanish after 15 s', sim: [...model(tpm), '--headers-until', '15'], quota: bucket, want: [0.9, 0.02] },
  ];
}

async function client(origin, random, end, maxima, seen) {
  const between = (low, high) => low + Math.floor(random() * (high - low));
  while (performance.now() < end) {
    const body = {
      model: 'm',
      messages: [{ role: 'user', content: 'x'.repeat(between(100, 2000)) }],
      max_completion_tokens: between(...maxima),
      stream: random() < 0.5,
    };
    const stop = AbortSignal.timeout(Math.max(1, Math.ceil(end - performance.now())));
    try {
      const response = await fetch(`${origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: stop,
      });
      if (response.status !== 200) seen.bad.push(response.status);
      await response.arrayBuffer();
      seen.ok += 1;
    } catch (error) {
      if (!stop.aborted) seen.bad.push(error.message);
    }
  }
}

// The counts of a Prometheus histogram, by upper bound.
function histogram(text, name) {
  const lines = text.matchAll(new RegExp(`^${name}_bucket\\{.*le="([^"]+)".*\\} (\\d+)`, 'gm'));
  return [...lines].map(([, bound, count]) => [bound, Number(count)]);
}

// The upper bound of the p-quantile of what came in between two readings.
function quantile(before, after, p) {
  const counts = after.map(([bound, count], i) => [bound, count - (before[i]?.[1] ?? 0)]);
  const total = counts.at(-1)?.[1] ?? 0;
  return total === 0 ? '-' : counts.find(([, count]) => count >= p * total)[0];
}

async function run(work, { clients, seconds, tpm }) {
  const sim = await startSim('--quiet', ...work.sim);
  const proxy = await startProxy(sim.origin, {
    cerebras: { rpm_limit: 1_000_000, tpm_limit: tpm, rate_limits: { use_headers: true }, ...work.config },
  });
  const seen = { ok: 0, bad: [] };
  try {
    const start = performance.now();
    const wall = Date.now();
    const end = start + seconds * 1000;
    const errors = async () =>
      histogram(await (await fetch(`${proxy.admin}/metrics`)).text(), 'cooldown_forecast_error_ratio');
    // Forecasts are judged once the load is steady: in the last two thirds.
    const early = new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / 3)).then(errors);
    await Promise.all(
      Array.from({ length: clients }, () => client(proxy.origin, Math.random, end, work.maxima ?? [200, 400], seen)),
    );
    const elapsed = (performance.now() - start) / 1000;
    const { admissions, refusals, tokens_used: used } = (await sim.stats()).models.m;
    const [before, after] = [await early, await errors()];
    // First come, first served cannot spend the last of it: the next in line needs its whole cost.
    const [low, high] = work.maxima ?? [200, 400];
    const last = work.requests ? 1 : (low + high) / 2 + 250;
    const share = (work.requests ? admissions : used) / (work.quota(elapsed, wall) - last);
    const forecast = [0.5, 0.9].map((p) => quantile(before, after, p));
    return { ...work, share, admissions, refused: refusals / admissions, bad: seen.bad, forecast };
  } finally {
    await proxy.stop();
    await sim.stop();
  }
}

const text = { type: 'string' };
const { values } = parseArgs({ options: { seconds: text, clients: text, tpm: text, only: text, together: text } });
const settings = {
  seconds: Number(values.seconds ?? 60),
  clients: Number(values.clients ?? 24),
  tpm: Number(values.tpm ?? 60_000),
};
const together = Number(values.together ?? 4);
const rows = workloads(settings.tpm).filter(({ name }) => name.includes(values.only ?? ''));
console.log('| workload | share of quota | upstream 429s / admissions | clients\' non-200 | forecast error p50, p90 (bounds) | |');
console.log('|---|---|---|---|---|---|');
let failed = 0;
while (rows.length > 0) {
  for (const r of await Promise.all(rows.splice(0, together).map((work) => run(work, settings)))) {
    const ok = r.share >= r.want[0] && r.refused <= r.want[1] && r.bad.length === 0;
    if (!ok) failed += 1;
    const refused = `${(100 * r.refused).toFixed(2)} % of ${r.admissions}`;
    console.log(`| ${r.name} | ${r.share.toFixed(3)} | ${refused} | ${r.bad.length} ${r.bad.slice(0, 2)} | ${r.forecast.join(', ')} | ${ok ? 'as wanted' : 'NOT AS WANTED'} |`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
