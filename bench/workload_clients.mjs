// The clients of a workload (docs/schedule.md) in real time: what bench/quota/clients.cpp does in simulated time.
import { setMaxListeners } from 'node:events';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const repetitions = 2; // of the SDK
const restAfterLoss = 1; // s

const between = ([low, high]) => low + Math.floor(Math.random() * (high - low + 1));
// English, as in the simulation: other kinds of characters are estimated to cost more.
const sentence = 'the quota is full so this request has to wait for a while and ';
const prose = (characters) => sentence.repeat(Math.ceil(characters / sentence.length)).slice(0, characters);
const exponential = (mean) => -mean * Math.log(1 - Math.random());

function inputCharacters({ input_chars: range, tail }) {
  if (tail === null) return between(range);
  return Math.floor(Math.min(range[0] * (1 - Math.random()) ** (-1 / tail), range[1]));
}

// As OpenAI's SDKs: the time in the answer, if it is plausible; otherwise half a second, doubling to eight, minus up to a quarter.
function sdkPause(done, told) {
  if (told > 0 && told <= 60) return told;
  return Math.min(0.5 * 2 ** done, 8) * (0.75 + 0.25 * Math.random());
}

// Resolves to the answer; rejects if the connection breaks or `signal` fires.
function post(origin, headers, body, signal, agent) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${origin}/v1/chat/completions`, { method: 'POST', headers, signal, agent }, (answer) => {
      answer.on('data', () => {});
      answer.on('end', () => resolve(answer));
      answer.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

// All clients of a workload until `seconds` are over. Returns what they saw.
export class Clients {
  constructor(origin, workload, seconds) {
    this.origin = origin;
    this.workload = workload;
    this.seconds = seconds;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
    this.seen = { ok: 0, non200: [], lost: 0, waits: [], watched: [], clients: new Map() };
    this.stop = new AbortController();
    setMaxListeners(0, this.stop.signal);
    this.waiting = new Set(); // requests without an answer
  }

  async run() {
    this.began = performance.now();
    const running = [];
    let client = 0;
    for (const group of this.workload.clients) {
      if (group.one_client) client += 1;
      for (let i = 0; i < group.connections; i += 1) {
        if (!group.one_client) client += 1;
        running.push(this.connection(group, client));
      }
    }
    await sleep(this.seconds * 1000);
    for (const each of this.waiting) this.waited(each.group, (performance.now() - each.began) / 1000);
    return async () => {
      this.stop.abort();
      await Promise.all(running);
      this.agent.destroy();
    };
  }

  async connection(group, client) {
    try {
      if (group.pace === 'closed') await this.closed(group, client);
      else await this.open(group, client);
    } catch (error) {
      if (!this.stop.signal.aborted) throw error;
    }
  }

  async closed(group, client) {
    for (;;) {
      const served = await this.ask(group, client);
      const pause = (group.pause_s > 0 ? exponential(group.pause_s) : 0) + (served ? 0 : restAfterLoss);
      if (pause > 0) await this.pause(pause);
    }
  }

  async open(group, client) {
    const bursts = group.pace === 'bursts';
    const asked = [];
    if (bursts) asked.push(this.ask(group, client));
    while (!this.stop.signal.aborted) {
      await this.pause(bursts ? group.every_s : exponential(group.connections / group.rate)).catch(() => {});
      if (!this.stop.signal.aborted) asked.push(this.ask(group, client));
    }
    await Promise.allSettled(asked);
  }

  pause(seconds) {
    return sleep(seconds * 1000, undefined, { signal: this.stop.signal });
  }

  waited(group, seconds) {
    this.seen.waits.push(seconds);
    if (group.watched) this.seen.watched.push(seconds);
  }

  request(group, client) {
    const characters = inputCharacters(group);
    const body = {
      model: `m${group.model}`,
      user: `c${client}`,
      messages: [{ role: 'user', content: prose(characters) }],
      stream: Math.random() < 0.5,
    };
    if (group.max_output) body.max_completion_tokens = between(group.max_output);
    const text = JSON.stringify(body);
    const input = Math.ceil(characters / 4);
    const tokens = input + Math.min(group.reply, body.max_completion_tokens ?? Infinity);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      priority: `u=${group.urgency}`,
      'x-sim-cached-tokens': Math.round(input * group.cached),
      'x-sim-reply-tokens': group.reply,
      'x-sim-speed': (1 / group.token_s).toFixed(6),
    };
    return { text, headers, tokens };
  }

  // One request of the application, with all retries of its SDK. True: it was served, or its client disconnected.
  async ask(group, client) {
    const { text, headers, tokens } = this.request(group, client);
    const account = this.account(group, client);
    account.asked += tokens;
    const open = { group, began: performance.now() };
    this.waiting.add(open);
    const signals = [this.stop.signal];
    if (Math.random() < group.cancel_share) signals.push(AbortSignal.timeout(between(group.cancel_after_s.map((s) => s * 1000))));
    const signal = AbortSignal.any(signals);
    try {
      for (let done = 0; done <= repetitions; done += 1) {
        const submitted = performance.now();
        const answer = await post(this.origin, headers, text, signal, this.agent);
        if (answer.statusCode === 200) {
          this.seen.ok += 1;
          account.tokens += tokens;
          const queued = Number(answer.headers['x-ratelimit-delay'] ?? 0);
          this.waited(group, (submitted - open.began) / 1000 + queued);
          return true;
        }
        this.seen.non200.push(answer.statusCode);
        if (answer.statusCode === 400) break;
        if (done < repetitions) await this.pause(sdkPause(done, Number(answer.headers['retry-after'])));
      }
      this.seen.lost += 1;
      return false;
    } catch (error) {
      if (this.stop.signal.aborted) throw error;
      if (signal.aborted) return true;
      this.seen.non200.push(error.code ?? error.message);
      return false;
    } finally {
      this.waiting.delete(open);
    }
  }

  account(group, client) {
    const known = this.seen.clients.get(client);
    if (known) return known;
    const endless = group.pace === 'closed' && group.pause_s === 0;
    const fresh = { model: group.model, weight: group.weight, endless, tokens: 0, asked: 0 };
    this.seen.clients.set(client, fresh);
    return fresh;
  }
}
