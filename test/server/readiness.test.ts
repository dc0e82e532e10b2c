import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { notifyReady } from '../../src/server/readiness.ts';

/** An environment with a fake systemd-notify, which can record its arguments. */
function fakeNotify(script: string): {
  readonly env: Record<string, string>;
  readonly notified: () => string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  const notified = join(folder, 'notified');
  return { env: { PATH: folder, NOTIFIED: notified }, notified: () => readFileSync(notified, 'utf8') };
}

test('systemd is notified if NOTIFY_SOCKET is set', async () => {
  const { env, notified } = fakeNotify('echo "$@ $NOTIFY_SOCKET" > "$NOTIFIED"');
  await notifyReady({ ...env, NOTIFY_SOCKET: '/run/systemd/notify' });
  expect(notified()).toBe('--ready /run/systemd/notify\n');
});

test('nothing is executed without NOTIFY_SOCKET', async () => {
  const { env, notified } = fakeNotify('echo "$@" > "$NOTIFIED"');
  await notifyReady(env);
  expect(notified).toThrow('ENOENT');
});

test('a failed notification is an error', async () => {
  const { env } = fakeNotify('echo no socket >&2; exit 1');
  await expect(notifyReady({ ...env, NOTIFY_SOCKET: '/nowhere' })).rejects.toThrow('no socket');
});
