import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tellReady } from '../../src/server/readiness.ts';

/** The environment of a systemd-notify of our own, which can write down what it is told. */
function standIn(script: string): { readonly env: Record<string, string>; readonly told: () => string } {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  const told = join(folder, 'told');
  return { env: { PATH: folder, TOLD: told }, told: () => readFileSync(told, 'utf8') };
}

test('systemd is notified if NOTIFY_SOCKET is set', async () => {
  const { env, told } = standIn('echo "$@ $NOTIFY_SOCKET" > "$TOLD"');
  await tellReady({ ...env, NOTIFY_SOCKET: '/run/systemd/notify' });
  expect(told()).toBe('--ready /run/systemd/notify\n');
});

test('nothing is executed without NOTIFY_SOCKET', async () => {
  const { env, told } = standIn('echo "$@" > "$TOLD"');
  await tellReady(env);
  expect(told).toThrow('ENOENT');
});

test('a failed notification is an error', async () => {
  const { env } = standIn('echo no socket >&2; exit 1');
  await expect(tellReady({ ...env, NOTIFY_SOCKET: '/nowhere' })).rejects.toThrow('no socket');
});
