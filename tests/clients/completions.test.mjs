// What a developer does all day: completions, streamed or not, and the list of models.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chat, collect, sdks } from './sdks.mjs';
import { eventually, simulate, simulatedText, startBoth } from './support.mjs';

const timeout = 60_000;
const plenty = ['--model', 'test,rpm=1000,tpm=1000000', '--any-model'];

for (const sdk of sdks) {
  test(`${sdk.name}: a completion`, { timeout }, async (t) => {
    const { proxy } = await startBoth(t, plenty);
    const { data, response } = await sdk
      .create(proxy.origin)
      .chat.completions.create(chat(100), simulate({ tokens: 20 }))
      .withResponse();
    assert.equal(data.choices[0].message.content, simulatedText(20));
    assert.equal(data.usage.completion_tokens, 20);
    assert.equal(response.headers.get('x-ratelimit-limit-tpm'), '60000');
    assert.equal(response.headers.get('x-ratelimit-current-tpm-limit'), '1000000');
    assert.equal(response.headers.get('x-ratelimit-limit-tokens-minute'), '1000000', "the provider's own");
    assert.equal(response.headers.get('x-circuitbreaker-state'), 'CLOSED');
  });

  test(`${sdk.name}: a stream arrives as it is made`, { timeout }, async (t) => {
    const { proxy } = await startBoth(t, [...plenty, '--speed', '100']);
    const stream = await sdk
      .create(proxy.origin)
      .chat.completions.create(chat(200, { stream: true }), simulate({ tokens: 100 }));
    const { text, usage, times } = await collect(stream);
    assert.equal(text, simulatedText(100));
    assert.equal(usage.completion_tokens, 100);
    assert.ok(times.at(-1) > 700, `made in a second, came within ${times.at(-1)} ms`);
    const early = times.filter((time) => time < times.at(-1) / 2).length;
    assert.ok(early > 25 && early < 75, `${early} of ${times.length} chunks in the first half of the time`);
  });

  test(`${sdk.name}: the models`, { timeout }, async (t) => {
    const { proxy } = await startBoth(t, plenty);
    const models = await sdk.create(proxy.origin).models.list();
    assert.deepEqual(
      models.data.map((model) => model.id),
      ['test'],
    );
  });

  test(`${sdk.name}: ten streams at once, none mixed up`, { timeout }, async (t) => {
    const { sim, proxy } = await startBoth(t, [...plenty, '--speed', '200']);
    const client = sdk.create(proxy.origin);
    const results = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const body = chat(200, { model: `model-${i}`, stream: true });
        return collect(await client.chat.completions.create(body, simulate({ tokens: 50 + i })));
      }),
    );
    results.forEach((result, i) => {
      assert.equal(result.text, simulatedText(50 + i));
      assert.deepEqual([...result.models], [`model-${i}`]);
      assert.equal(result.ids.size, 1);
    });
    assert.equal(new Set(results.flatMap((result) => [...result.ids])).size, 10);
    assert.equal((await sim.stats()).aborted, 0);
  });
}

test('cerebras: the warm-up of a new client passes, even past a queue', { timeout }, async (t) => {
  const { sim, proxy } = await startBoth(t, ['--model', 'test,tpm=6000', '--speed', '0']);
  const [, cerebras] = sdks;
  const waiting = new AbortController();
  const client = cerebras.create(proxy.origin, { maxRetries: 0 });
  await client.chat.completions.create(chat(5900), simulate({ tokens: 5900 }));
  const waiter = client.chat.completions.create(chat(5000), { signal: waiting.signal }).catch((error) => error);
  await eventually('a request waits', async () => (await proxy.queueLength()) === 1);

  const seen = [];
  const before = (await sim.stats()).requests_total;
  cerebras.create(proxy.origin, { warmTCPConnection: true, inspect: (response) => seen.push(response) });
  await eventually('the warm-up is answered', () => seen.length === 1);
  assert.equal(seen[0].status, 200);
  assert.match(seen[0].url, /\/v1\/tcp_warming$/);
  assert.equal((await sim.stats()).requests_total, before + 1, 'it has reached the provider');
  waiting.abort();
  await waiter;
});
