// The queue as a client sees it: it waits instead of being refused, and may leave at any time.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chat, collect, sdks } from './sdks.mjs';
import { eventually, simulate, simulatedText, startBoth } from './support.mjs';

const timeout = 60_000;

// 100 tokens a second refill; `leaveLittle` uses up the bucket, so that what follows waits for half a minute.
const small = ['--model', 'test,rpm=1000,tpm=6000', '--speed', '0'];
const startSmall = (t) => startBoth(t, small, { cerebras: { tpm_limit: 6000 } });

async function leaveLittle(client) {
  await client.chat.completions.create(chat(5900), simulate({ tokens: 5900 }));
}

for (const sdk of sdks) {
  test(`${sdk.name}: a burst beyond the quota waits and is never refused`, { timeout }, async (t) => {
    const { sim, proxy } = await startSmall(t);
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    const start = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => client.chat.completions.create(chat(580), simulate({ tokens: 575 }))),
    );
    const seconds = (performance.now() - start) / 1000;
    for (const answer of answers) assert.equal(answer.choices[0].message.content, simulatedText(575));
    const { admissions, refusals } = (await sim.stats()).models.test;
    assert.equal(admissions, 12);
    assert.ok(refusals <= 1, `${refusals} refusals`);
    assert.ok(seconds > 7, `7,000 tokens at 100 a second with 6,000 to begin with, in ${seconds} s`);
  });

  test(`${sdk.name}: a request that waited says how long`, { timeout }, async (t) => {
    const { proxy } = await startSmall(t);
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    await leaveLittle(client);
    const { response } = await client.chat.completions.create(chat(300), simulate({ tokens: 10 })).withResponse();
    assert.ok(Number(response.headers.get('x-ratelimit-delay')) > 0.5, response.headers.get('x-ratelimit-delay'));
    assert.match(response.headers.get('server-timing'), /queue;dur=\d/);
  });

  test(`${sdk.name}: aborting while queued frees the place`, { timeout }, async (t) => {
    const { sim, proxy } = await startSmall(t);
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    await leaveLittle(client);
    for (const stream of [false, true]) {
      const controller = new AbortController();
      const waiter = client.chat.completions.create(chat(3000, { stream }), { signal: controller.signal });
      waiter.catch(() => {});
      await eventually('it waits', async () => (await proxy.queueLength()) === 1);
      controller.abort();
      await assert.rejects(waiter, sdk.errors.APIUserAbortError);
      await eventually('its place is free', async () => (await proxy.queueLength()) === 0, 2000);
    }
    const { models, aborted } = await sim.stats();
    assert.equal(models.test.admissions, 1, 'only the first reached the provider');
    assert.equal(aborted, 0);
  });

  test(`${sdk.name}: a client that times out while queued frees the place`, { timeout }, async (t) => {
    const { proxy } = await startSmall(t);
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    await leaveLittle(client);
    // The SDK tells its timeout; Prefer makes the request wait all the same.
    const waiter = client.chat.completions.create(chat(3000), { timeout: 1500, headers: { Prefer: 'wait=60' } });
    waiter.catch(() => {});
    await eventually('it waits', async () => (await proxy.queueLength()) === 1, 1500);
    await assert.rejects(waiter, sdk.errors.APIConnectionTimeoutError);
    await eventually('its place is free', async () => (await proxy.queueLength()) === 0, 2000);
  });

  test(`${sdk.name}: a timeout that is too short for the wait is answered at once`, { timeout }, async (t) => {
    const { sim, proxy } = await startSmall(t);
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    await leaveLittle(client);
    for (const stream of [false, true]) {
      const error = await client.chat.completions
        .create(chat(3000, { stream }), { timeout: 10_000 })
        .then(() => assert.fail('it must be refused'), (reason) => reason);
      assert.ok(error instanceof sdk.errors.RateLimitError, error);
      assert.equal(sdk.codes(error).code, 'queue_timeout');
      assert.ok(Number(sdk.header(error, 'retry-after-ms')) > 20_000, 'the time until it can go');
    }
    assert.equal((await sim.stats()).models.test.refusals, 0, 'the provider was not asked');
  });

  test(`${sdk.name}: aborting while streaming stops the provider`, { timeout }, async (t) => {
    const { sim, proxy } = await startBoth(t, ['--model', 'test,tpm=100000', '--speed', '50']);
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    const stream = await client.chat.completions.create(chat(2000, { stream: true }), simulate({ tokens: 1000 }));
    let chunks = 0;
    for await (const chunk of stream) {
      assert.ok(chunk.id);
      if (++chunks === 4) stream.controller.abort();
    }
    assert.ok(chunks >= 4 && chunks < 1000, `${chunks} chunks`);
    await eventually('the simulator notices', async () => {
      const stats = await sim.stats();
      return stats.aborted === 1 && stats.in_flight === 0;
    });
  });

  test(`${sdk.name}: Prefer: wait=0 fails fast and says when`, { timeout }, async (t) => {
    const { sim, proxy } = await startSmall(t);
    const client = sdk.create(proxy.origin, { maxRetries: 0 });
    await leaveLittle(client);
    const start = performance.now();
    const error = await client.chat.completions
      .create(chat(3000), { headers: { Prefer: 'wait=0' } })
      .then(() => assert.fail('it must be refused'), (reason) => reason);
    assert.ok(performance.now() - start < 2000);
    assert.ok(error instanceof sdk.errors.RateLimitError, error);
    assert.equal(error.status, 429);
    assert.equal(sdk.codes(error).code, 'queue_timeout');
    assert.equal(typeof sdk.codes(error).type, 'string');
    const milliseconds = Number(sdk.header(error, 'retry-after-ms'));
    assert.ok(milliseconds > 20_000 && milliseconds < 40_000, `about 29 s missing, said ${milliseconds} ms`);
    assert.equal(Number(sdk.header(error, 'retry-after')), Math.ceil(milliseconds / 1000));
    assert.match(error.message, /\d/, 'the time is in the words as well');
    assert.equal((await sim.stats()).models.test.refusals, 0, 'the provider was not asked');
  });

  test(`${sdk.name}: Prefer: wait=0 changes nothing when there is room`, { timeout }, async (t) => {
    const { proxy } = await startSmall(t);
    const stream = await sdk
      .create(proxy.origin, { maxRetries: 0 })
      .chat.completions.create(chat(100, { stream: true }), simulate({ tokens: 30, headers: { Prefer: 'wait=0' } }));
    assert.equal((await collect(stream)).text, simulatedText(30));
  });

  test(`${sdk.name}: what can never fit is refused at once, for good`, { timeout }, async (t) => {
    const { proxy } = await startSmall(t);
    const client = sdk.create(proxy.origin);
    await client.chat.completions.create(chat(100), simulate({ tokens: 10 }));
    const error = await client.chat.completions.create(chat(100_000)).catch((reason) => reason);
    assert.equal(sdk.codes(error).code, 'request_too_large_for_limit');
    assert.equal(sdk.header(error, 'x-should-retry'), 'false');
  });
}
