/** Notifies systemd that the exporter listens, if the unit has `Type=notify`. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** systemd-notify waits until systemd has read the notification. */
const TIMEOUT_MS = 5_000;

/**
 * Uses systemd's own program, as Node.js has no datagram sockets for this; requires `NotifyAccess=all`.
 *
 * @param env with NOTIFY_SOCKET if systemd waits (sd_notify(3))
 * @throws Error if the notification fails: systemd will then stop the exporter
 */
export async function notifyReady(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  if (env['NOTIFY_SOCKET'] !== undefined) {
    await promisify(execFile)('systemd-notify', ['--ready'], { env, timeout: TIMEOUT_MS });
  }
}
