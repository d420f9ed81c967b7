// A short run of bench/saturation.mjs: many clients that want more than there is, and none of them sees an error.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { print, saturate } from '../../bench/saturation.mjs';

test('24 clients, 15 s, 60K tokens a minute: no error', { timeout: 180_000 }, async () => {
  const report = await saturate({ clients: 24, seconds: 15 });
  print(report);
  assert.deepEqual(report.errors, {});
  assert.deepEqual(Object.keys(report.statuses), ['200'], 'the SDK did not have to retry');
  assert.ok(report.ok > 100);
  assert.equal(report.admissions, report.ok);
  assert.ok(report.share < 0.02, `${report.refusals} refusals in ${report.admissions} admissions`);
});

test('two accounts of one provider: each at its own quota, and no error', { timeout: 180_000 }, async () => {
  const report = await saturate({ clients: 24, seconds: 15, keys: 2 });
  print(report);
  assert.deepEqual(report.errors, {});
  assert.deepEqual(Object.keys(report.statuses), ['200'], 'the SDK did not have to retry');
  assert.ok(report.quotaUsed > 0.9, `${report.quotaUsed} of both quotas`);
  assert.ok(report.share < 0.02, `${report.refusals} refusals in ${report.admissions} admissions`);
});
