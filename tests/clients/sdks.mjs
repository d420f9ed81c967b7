// The two SDKs under one roof: how each is made, and where each keeps what a test looks at.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Agent, createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// `./run` installs the packages outside the source tree.
const here = dirname(fileURLToPath(import.meta.url));
const installed = process.env.COOLDOWN_CLIENTS ?? resolve(here, '../../build/release/tests/clients');
if (!existsSync(join(installed, 'node_modules'))) {
  throw new Error(`no npm packages in ${installed}: run scripts/test -R clients once`);
}
const load = createRequire(join(installed, 'package.json'));

export const OpenAI = load('openai');
export const Cerebras = load('@cerebras/cerebras_cloud_sdk');

// The node-fetch inside Cerebras's SDK takes a complete chunked response for a cut one when certain versions of Node keep
// the connection, Debian's 18 among them (nodejs/node issue 63989), whatever the server. Such a Node is told not to.
async function mustNotKeepConnections() {
  const server = createServer((_, response) => {
    response.write('1');
    setTimeout(() => response.end('2'), 10);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent({ keepAlive: true });
  try {
    const response = await load('node-fetch')(`http://127.0.0.1:${server.address().port}`, { agent });
    for await (const part of response.body) part.toString();
    return false;
  } catch {
    return true;
  } finally {
    agent.destroy();
    server.close();
  }
}
const agents = (await mustNotKeepConnections()) ? { httpAgent: new Agent({ keepAlive: false }) } : {};

// `inspect` sees every response with its body's text.
function watched(fetch, inspect) {
  return async (url, init) => {
    const response = await fetch(url, init);
    inspect?.({ status: response.status, url: String(url), text: await response.clone().text() });
    return response;
  };
}

function withInspection(options, fetch) {
  const { inspect, ...rest } = options;
  return inspect ? { ...rest, fetch: watched(fetch, inspect) } : rest;
}

export const sdks = [
  {
    name: 'openai',
    errors: OpenAI,
    create: (origin, options = {}) =>
      new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'of-the-client', ...withInspection(options, globalThis.fetch) }),
    header: (error, name) => error.headers.get(name),
    // OpenAI's SDK looks into the "error" object only.
    codes: (error) => ({ code: error.code, type: error.type, param: error.param }),
    understandsFlatErrors: false,
  },
  {
    name: 'cerebras',
    errors: Cerebras,
    create: (origin, options = {}) =>
      new Cerebras({
        baseURL: origin,
        apiKey: 'of-the-client',
        warmTCPConnection: false,
        ...agents,
        ...withInspection(options, load('node-fetch')),
      }),
    header: (error, name) => error.headers[name],
    // Cerebras's SDK hands the whole body over, whose fields are flat.
    codes: ({ error }) => ({ code: error.code, type: error.type, param: error.param }),
    understandsFlatErrors: true,
  },
];

// One user message that asks for at most `max` tokens.
export function chat(max, more = {}) {
  return {
    model: 'test',
    messages: [{ role: 'user', content: 'Hello' }],
    max_completion_tokens: max,
    ...more,
  };
}

// Reads a stream to its end: the text, the usage, and when each chunk came, in ms since the first.
export async function collect(stream) {
  const result = { text: '', usage: undefined, times: [], ids: new Set(), models: new Set() };
  let start;
  for await (const chunk of stream) {
    start ??= performance.now();
    result.times.push(performance.now() - start);
    result.text += chunk.choices[0]?.delta?.content ?? '';
    result.usage = chunk.usage ?? result.usage;
    result.ids.add(chunk.id);
    result.models.add(chunk.model);
  }
  return result;
}
