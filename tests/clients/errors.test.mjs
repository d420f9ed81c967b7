// Errors: the provider's own reach the client untouched, a broken answer never looks whole, and what a retry cures is
// not seen at all.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { chat, collect, sdks } from './sdks.mjs';
import { eventually, simulate, simulatedText, startBoth, startProxy } from './support.mjs';

const timeout = 60_000;
const plenty = ['--model', 'test,rpm=1000,tpm=1000000', '--api-key', 'of-the-client'];

const incurable = [
  { status: 400, code: 'wrong_api_format', body: { model: 'test' } },
  { status: 400, code: 'simulated_error', fault: 'status=400' },
  { status: 401, code: 'wrong_api_key', apiKey: 'wrong' },
  { status: 402, code: 'payment_required', fault: 'payment' },
  { status: 404, code: 'model_not_found', body: chat(10, { model: 'unknown' }) },
  { status: 422, code: 'simulated_error', fault: 'status=422' },
];

for (const sdk of sdks) {
  for (const { status, code, body = chat(10), fault, apiKey = 'of-the-client' } of incurable) {
    test(`${sdk.name}: ${status} ${code} passes untouched`, { timeout }, async (t) => {
      const { sim, proxy } = await startBoth(t, plenty);
      const errors = [];
      const texts = [];
      for (const origin of [sim.origin, proxy.origin]) {
        const client = sdk.create(origin, { apiKey, inspect: ({ text }) => texts.push(text) });
        errors.push(await client.chat.completions.create(body, simulate({ fault })).catch((error) => error));
      }
      const [direct, proxied] = errors;
      assert.equal(proxied.status, status);
      assert.equal(proxied.constructor, direct.constructor);
      assert.equal(proxied.message, direct.message);
      assert.deepEqual(sdk.codes(proxied), sdk.codes(direct));
      if (sdk.understandsFlatErrors) assert.equal(sdk.codes(proxied).code, code);
      assert.equal(JSON.parse(texts[1]).code, code);
      assert.equal(texts.length, 2, 'nobody tried again');
      assert.equal(texts[1], texts[0], 'byte for byte');
      assert.equal((await sim.stats()).requests_total, 2, 'the proxy asked once');
    });
  }

  test(`${sdk.name}: a key in the configuration takes the place of the client's`, { timeout }, async (t) => {
    const { proxy } = await startBoth(t, ['--model', 'test', '--api-key', 'of-the-proxy'], {
      cerebras: { api_key: 'of-the-proxy' },
    });
    const client = sdk.create(proxy.origin);
    assert.ok(await client.chat.completions.create(chat(10), simulate({ tokens: 5 })));
  });

  test(`${sdk.name}: an error inside a stream is thrown`, { timeout }, async (t) => {
    const { proxy } = await startBoth(t, plenty);
    const stream = await sdk
      .create(proxy.origin)
      .chat.completions.create(chat(100, { stream: true }), simulate({ fault: 'in-stream-error=3' }));
    await assert.rejects(collect(stream), sdk.errors.APIError);
  });

  for (const fault of ['reset-mid-stream=5', 'close-mid-body=5', 'bad-chunk']) {
    test(`${sdk.name}: a stream cut by ${fault} throws`, { timeout }, async (t) => {
      const { proxy } = await startBoth(t, plenty);
      const stream = await sdk
        .create(proxy.origin, { maxRetries: 0 })
        .chat.completions.create(chat(100, { stream: true }), simulate({ fault }));
      await assert.rejects(collect(stream));
    });
  }

  test(`${sdk.name}: the provider dies in the middle of a stream`, { timeout }, async (t) => {
    const { sim, proxy } = await startBoth(t, [...plenty, '--speed', '50']);
    const stream = await sdk
      .create(proxy.origin, { maxRetries: 0 })
      .chat.completions.create(chat(2000, { stream: true }), simulate({ tokens: 1000 }));
    let chunks = 0;
    await assert.rejects(async () => {
      for await (const chunk of stream) {
        assert.ok(chunk.id);
        if (++chunks === 4) {
          sim.killed = true;
          await sim.kill('SIGKILL');
        }
      }
    });
    assert.ok(chunks >= 4);
    await eventually('the proxy lives', async () => (await fetch(`${proxy.origin}/health`)).ok);
  });

  for (const [what, fail] of [
    ['a 503', (response) => response.writeHead(503, { 'content-type': 'application/json' }).end('{}')],
    ['a 502', (response) => response.writeHead(502).end()],
    ['a reset', (response) => response.socket.resetAndDestroy()],
  ]) {
    test(`${sdk.name}: ${what} is tried again, unseen`, { timeout }, async (t) => {
      let requests = 0;
      const upstream = createServer((request, response) => {
        request.resume().on('end', () => {
          if (++requests === 1) return fail(response);
          const choices = [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'now' } }];
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify({ id: '1', object: 'chat.completion', created: 1, model: 'test', choices }));
        });
      }).listen(0, '127.0.0.1');
      await once(upstream, 'listening');
      t.after(() => upstream.close());
      const proxy = await startProxy(`http://127.0.0.1:${upstream.address().port}`);
      t.after(() => proxy.stop());
      const statuses = [];
      const client = sdk.create(proxy.origin, { maxRetries: 0, inspect: ({ status }) => statuses.push(status) });
      const answer = await client.chat.completions.create(chat(10));
      assert.equal(answer.choices[0].message.content, 'now');
      assert.deepEqual(statuses, [200]);
      assert.equal(requests, 2);
    });
  }

  test(`${sdk.name}: a provider that is not there`, { timeout }, async (t) => {
    const proxy = await startProxy('http://127.0.0.1:9', { cerebras: { retries: 0 } });
    t.after(() => proxy.stop());
    const error = await sdk
      .create(proxy.origin, { maxRetries: 0 })
      .chat.completions.create(chat(10))
      .catch((reason) => reason);
    assert.ok(error instanceof sdk.errors.InternalServerError, error);
    assert.equal(sdk.codes(error).code, 'upstream_unavailable');
  });

  test(`${sdk.name}: faults one time in five are not seen`, { timeout }, async (t) => {
    const faults = ['--fault', 'status=503@0.1', '--fault', 'reset@0.1', '--speed', '0', '--ttft', '0'];
    const { sim, proxy } = await startBoth(t, [...plenty, ...faults], { cerebras: { retries: 8 } });
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    for (let i = 0; i < 20; ++i) {
      const answer = await client.chat.completions.create(chat(20), simulate({ tokens: 10 }));
      assert.equal(answer.choices[0].message.content, simulatedText(10));
    }
    assert.ok((await sim.stats()).faults > 0);
  });
}
