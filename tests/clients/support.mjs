// Starts the real programs on free ports and stops them again; helpers that every test here shares.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const programs = {
  proxy: process.env.COOLDOWN_PROXY ?? join(root, 'build/release/cooldown-proxy'),
  sim: process.env.CEREBRAS_SIM ?? join(root, 'build/release/cerebras-sim'),
};

// A child process; `lines` are what it has printed, on either stream.
class Program {
  constructor(path, args) {
    this.lines = [];
    this.waiters = [];
    this.child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = once(this.child, 'exit').then(([code, signal]) => {
      this.status = signal ?? code;
      this.notify();
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.notify();
      });
    }
    this.name = path.split('/').pop();
  }

  notify() {
    this.waiters = this.waiters.filter((waiter) => !waiter());
  }

  output() {
    return `${this.name} (${this.status ?? 'running'}) printed:\n${this.lines.slice(-40).join('\n')}`;
  }

  // The first group of the first line that matches.
  line(pattern, milliseconds = 20_000) {
    return new Promise((found, failed) => {
      const timer = setTimeout(() => failed(new Error(`no line ${pattern}; ${this.output()}`)), milliseconds);
      const look = () => {
        const match = this.lines.map((line) => pattern.exec(line)).find(Boolean);
        if (!match && this.status === undefined) return false;
        clearTimeout(timer);
        if (match) found(match[1]);
        else failed(new Error(`ended before a line ${pattern}; ${this.output()}`));
        return true;
      };
      if (!look()) this.waiters.push(look);
    });
  }

  async kill(signal) {
    this.child.kill(signal);
    await this.exited;
  }

  // Stops it as a service manager would, and insists that it ends well: sanitizers speak through the exit status.
  async stop() {
    if (this.status === undefined) this.child.kill('SIGTERM');
    const stuck = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await this.exited;
    clearTimeout(stuck);
    assert.ok(this.status === 0 || this.killed, this.output());
  }
}

export async function startSim(...args) {
  const sim = new Program(programs.sim, ['--listen', '127.0.0.1:0', ...args]);
  sim.origin = await sim.line(/listening on (http:\S+)/);
  // Of the account of this key, if there are several.
  sim.stats = async (key) => {
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    return (await fetch(`${sim.origin}/sim/stats`, { headers })).json();
  };
  return sim;
}

// `config` is what differs from the defaults below, section by section.
export async function startProxy(origin, config = {}) {
  const sections = {
    server: { host: '127.0.0.1', port: 0, drain_timeout: '1s' },
    cerebras: {
      base_url: origin,
      api_key: '',
      rpm_limit: 1000,
      tpm_limit: 60000,
      rate_limits: { use_headers: true },
    },
    admin: { host: '127.0.0.1', port: 0 },
    state: { off: true },
    logging: { level: 'info', format: 'text' },
  };
  for (const [name, keys] of Object.entries(config)) sections[name] = Array.isArray(keys) ? keys : { ...sections[name], ...keys };
  const folder = await mkdtemp(join(tmpdir(), 'cooldown-clients-'));
  const file = join(folder, 'config.yaml');
  await writeFile(file, JSON.stringify(sections)); // JSON is YAML
  const proxy = new Program(programs.proxy, ['--config', file]);
  try {
    proxy.origin = await proxy.line(/\blistening on (http:[^\s"]+)/);
    proxy.admin = await proxy.line(/\badmin on (http:[^\s"]+)/);
  } finally {
    await rm(folder, { recursive: true });
  }
  // How many wait, as any proxied response says.
  proxy.queueLength = async () => {
    const response = await fetch(`${proxy.origin}/v1/models`);
    await response.arrayBuffer();
    return Number(response.headers.get('x-ratelimit-queue-length'));
  };
  return proxy;
}

// A simulator with a proxy before it, both stopped at the end of test `t`.
export async function startBoth(t, sim_args, config) {
  const sim = await startSim('--quiet', ...sim_args);
  t.after(() => sim.stop());
  const proxy = await startProxy(sim.origin, config);
  t.after(() => proxy.stop());
  return { sim, proxy };
}

// Until `probe` answers something true; for what no event tells.
export async function eventually(what, probe, milliseconds = 5000) {
  for (const end = Date.now() + milliseconds; ; await sleep(20)) {
    const result = await probe();
    if (result) return result;
    if (Date.now() > end) assert.fail(`not within ${milliseconds} ms: ${what}`);
  }
}

// What the simulator says in a reply of so many tokens.
export function simulatedText(tokens) {
  const words = ['the ', 'quota ', 'is ', 'full ', 'so ', 'we ', 'wait ', 'now '];
  return Array.from({ length: tokens }, (_, i) => words[i % words.length]).join('');
}

// Options for one call: a reply of so many tokens, and a fault if there is one.
export function simulate({ tokens, fault, ...options }) {
  const headers = { ...options.headers };
  if (tokens !== undefined) headers['X-Sim-Reply-Tokens'] = String(tokens);
  if (fault) headers['X-Sim-Fault'] = fault;
  return { ...options, headers };
}
