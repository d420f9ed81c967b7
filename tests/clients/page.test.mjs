// The live page in a real Chromium: what it shows is what /status says, it is accessible, and nothing of it comes from elsewhere.
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually, startBoth, startProxy, startSim } from './support.mjs';

const timeout = 120_000;
const installed = createRequire(join(process.env.COOLDOWN_CLIENTS, 'package.json'));
const chromium = ['/usr/bin/chromium', process.env.CHROMIUM].find((path) => path && existsSync(path));

async function openPage(t, origin, options = {}) {
  const { chromium: browserType } = installed('playwright-core');
  const browser = await browserType.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] });
  t.after(() => browser.close());
  const page = await (await browser.newContext(options)).newPage();
  page.problems = [];
  page.on('pageerror', (e) => page.problems.push(e.message));
  page.on('console', (m) => m.type() === 'error' && page.problems.push(m.text()));
  page.on('request', (r) => r.url().startsWith(origin) || page.problems.push(`asked for ${r.url()}`));
  await page.goto(`${origin}/`);
  return page;
}

// Clients that ask again as soon as they are answered, until the test ends.
function load(t, origin, { clients, models }) {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  t.after(() => controller.abort());
  for (let i = 0; i < clients; ++i) {
    (async () => {
      while (!controller.signal.aborted) {
        await fetch(`${origin}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ model: `model-${i % models}`, user: `u${i % 5}`, max_tokens: 900, messages: [{ role: 'user', content: 'hello' }] }),
          signal: controller.signal,
        }).then((r) => r.text()).catch(() => sleep(50));
      }
    })();
  }
}

const figures = (page) => page.evaluate(() => ({
  waiting: Number(document.getElementById('queue-length').textContent.replaceAll(',', '')),
  scopes: [...document.querySelectorAll('#scopes tbody tr')].map((r) => r.cells[0].textContent).sort(),
  lanes: document.querySelectorAll('#waiting tbody tr').length,
  recent: document.querySelectorAll('#recent tbody tr').length,
  updates: Number(document.body.dataset.updates ?? 0),
}));

const small = ['--any-model', '--model', 'model-0,rpm=100000,tpm=6000', '--speed', '0'];

test('the page shows what /status says, under load', { timeout, skip: !chromium && 'no Chromium' }, async (t) => {
  const { proxy } = await startBoth(t, small, { cerebras: { tpm_limit: 6000 } });
  load(t, proxy.origin, { clients: 40, models: 4 });
  const page = await openPage(t, proxy.admin);
  await eventually('the queue is shown', async () => (await figures(page)).waiting > 20);
  // Nobody goes any more: then both can be compared.
  const status = async () => (await fetch(`${proxy.admin}/status`)).json();
  for (const s of (await status()).scopes)
    assert.equal((await fetch(`${proxy.admin}/scopes/pause`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ model: s.model }) })).status, 200);
  await eventually('all wait', async () => (await status()).queue.length === 40);
  const { updates } = await figures(page);
  await eventually('the page is up to date', async () => (await figures(page)).updates > updates + 1);
  const shown = await figures(page);
  const told = await status();
  assert.equal(shown.waiting, told.queue.length);
  assert.deepEqual(shown.scopes, told.scopes.map((s) => s.model).sort());
  assert.equal(shown.lanes, 40);
  assert.equal(shown.recent, told.recent.length);
  // The buttons work, with the keyboard too.
  const resume = page.getByRole('button', { name: /^Resume model-1/ });
  await resume.focus();
  await page.keyboard.press('Enter');
  await eventually('it goes on', async () => (await status()).scopes.find((s) => s.model === 'model-1').paused === false);
  await page.getByRole('button', { name: 'model-2', exact: true }).click();
  assert.match(await page.locator('#shown-scope').textContent(), /model-2/);
  assert.ok((await page.locator('#tokens-chart').getAttribute('aria-label')).includes('of 6,000 tokens/min left'));
  assert.deepEqual(page.problems, []);
});

test('the page names the limit that binds, and promises no time while a model is paused', { timeout, skip: !chromium && 'no Chromium' }, async (t) => {
  const { proxy } = await startBoth(t, ['--any-model', '--model', 'model-0,rpm=2,tpm=60000', '--speed', '0'],
    { cerebras: { rpm_limit: 2, tpm_limit: 60000 } });
  load(t, proxy.origin, { clients: 12, models: 2 });
  const page = await openPage(t, proxy.admin);
  const scope = (name) => page.locator('#scopes tbody tr').filter({ hasText: name });
  const status = async () => (await fetch(`${proxy.admin}/status`)).json();
  await eventually('all wait', async () => (await status()).queue.length === 12, 20_000);
  await scope('model-1').getByText('0 of 2 requests/min').waitFor();
  assert.equal(await scope('model-1').locator('.meter b').evaluate((bar) => bar.style.width), '0%');
  assert.match(await scope('model-1').textContent(), /the requests of this minute are used up/);
  const budget = page.locator('#budgets tbody tr').filter({ hasText: 'requests a minute' }).locator('td');
  assert.match(await budget.nth(2).textContent(), /^(\d+ s|1 min)$/, 'a bucket that refills all the time is full in a minute at most');
  await page.getByRole('button', { name: /^Pause model-0/ }).click();
  await scope('model-0').getByText('paused by hand').waitFor();
  const lanes = () => page.locator('#waiting tbody tr').evaluateAll((rows) => rows.map((r) => [r.cells[3].textContent, r.cells[1].textContent]));
  await eventually('the paused ones are last', async () => (await lanes()).at(-1)?.[1] === 'when the model is resumed');
  const shown = await lanes();
  assert.deepEqual(shown.map(([model, when]) => [model, when === 'when the model is resumed']),
    [...Array(shown.length / 2).fill(['model-1', false]), ...Array(shown.length / 2).fill(['model-0', true])]);
  assert.deepEqual(page.problems, []);
});

test('the page says who used the quota, that the provider fails and why, and who waits for it', { timeout, skip: !chromium && 'no Chromium' }, async (t) => {
  const { sim, proxy } = await startBoth(t, small, { cerebras: { tpm_limit: 6000 } });
  load(t, proxy.origin, { clients: 10, models: 1 });
  const page = await openPage(t, proxy.admin);
  await eventually('some wait', async () => (await figures(page)).waiting > 2);
  await page.locator('#clients').getByText('user u1').waitFor();
  await page.locator('#waiting').getByText('user u').first().waitFor();
  assert.ok(await page.locator('#trouble').isHidden());
  sim.killed = true;
  await sim.kill('SIGKILL');
  await page.locator('#trouble').getByText(/failed in \d+ of \d+ attempts .*refused.*circuit breaker is open; next attempt in/).waitFor();
  await eventually('all are seen to wait', async () => (await figures(page)).waiting === 10);
  assert.equal(await page.locator('#in-flight').textContent(), '0');
  await page.locator('#waiting').getByText('the provider keeps failing').first().waitFor();
  assert.deepEqual(page.problems, []);
});

// Two accounts and another upstream, all of the same simulator.
const several = async (t) => {
  const sim = await startSim('--quiet', ...small);
  t.after(() => sim.stop());
  const proxy = await startProxy(sim.origin, {
    cerebras: { api_keys: ['key-1', 'key-2'] },
    upstreams: [{ name: 'other', base_url: sim.origin, api_key: 'key-3' }],
  });
  t.after(() => proxy.stop());
  return proxy;
};

test('an upstream is paused and resumed on the page, if there are several', { timeout, skip: !chromium && 'no Chromium' }, async (t) => {
  const proxy = await several(t);
  const page = await openPage(t, proxy.admin);
  const paused = async () => (await (await fetch(`${proxy.admin}/status`)).json()).upstreams.filter((u) => u.paused).map((u) => u.name);
  const other = page.locator('#upstreams tbody tr').filter({ hasText: 'other' });
  await other.waitFor();
  assert.equal(await page.locator('#upstreams tbody tr').count(), 3);
  await page.getByRole('button', { name: 'Pause upstream other' }).click();
  await other.getByText('paused by hand').waitFor();
  assert.deepEqual(await paused(), ['other']);
  const resume = page.getByRole('button', { name: 'Resume upstream other' });
  await resume.focus();
  await page.keyboard.press('Enter');
  await other.getByText('in use').waitFor();
  assert.deepEqual(await paused(), []);
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: readFileSync(installed.resolve('axe-core/axe.min.js'), 'utf8') });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => v.id), []);
  assert.deepEqual(page.problems, []);
});

test('with one destination the page says nothing of upstreams', { timeout, skip: !chromium && 'no Chromium' }, async (t) => {
  const { proxy } = await startBoth(t, small);
  const page = await openPage(t, proxy.admin);
  await eventually('it is up to date', async () => (await figures(page)).updates > 1);
  assert.ok(await page.locator('#upstreams-title').isHidden());
});

for (const [name, options] of Object.entries({
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
})) {
  test(`the page has no serious accessibility finding: ${name}`, { timeout, skip: !chromium && 'no Chromium' }, async (t) => {
    const { proxy } = await startBoth(t, small, { cerebras: { tpm_limit: 6000 } });
    load(t, proxy.origin, { clients: 20, models: 2 });
    const page = await openPage(t, proxy.admin, options);
    await eventually('it has data', async () => (await figures(page)).lanes > 5);
    // The page's own policy lets no text become a script; the debugger may.
    const session = await page.context().newCDPSession(page);
    await session.send('Runtime.evaluate', { expression: readFileSync(installed.resolve('axe-core/axe.min.js'), 'utf8') });
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => v.id), []);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide`);
    assert.deepEqual(page.problems, []);
  });
}

test('the page works with 50 models and 1,000 waiting, and says so when the proxy has gone', { timeout, skip: !chromium && 'no Chromium' }, async (t) => {
  const { proxy } = await startBoth(t, ['--any-model', '--model', 'model-0,rpm=100000,tpm=1000', '--speed', '0'], { cerebras: { tpm_limit: 1000 } });
  load(t, proxy.origin, { clients: 1000, models: 50 });
  const page = await openPage(t, proxy.admin);
  await eventually('they wait', async () => (await figures(page)).waiting > 900);
  const shown = await figures(page);
  assert.equal(shown.scopes.length, 50);
  assert.equal(shown.lanes, 200);
  assert.match(await page.locator('#waiting-more').textContent(), /and \d+ more/);
  proxy.killed = true;
  await proxy.kill('SIGKILL');
  await page.getByText(/Not connected/).waitFor();
  assert.deepEqual(page.problems.filter((p) => !/ERR_|Failed to load/.test(p)), []);
});
