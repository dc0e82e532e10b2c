/** The environment that systemd sets for passed sockets → the sockets to listen on (sd_listen_fds(3)). */
import { type Environment, UsageError } from './command-line.ts';

export interface InheritedSocket {
  readonly fd: number;
  /** For errors. */
  readonly text: string;
}

/** SD_LISTEN_FDS_START */
const FIRST_FD = 3;

/**
 * @param pid of this process: variables for another pid were inherited
 * @returns at least one
 * @throws UsageError if systemd has passed none
 */
export function inheritedSockets(env: Environment, pid: number): readonly InheritedSocket[] {
  const { LISTEN_PID: receiver, LISTEN_FDS: count } = env;
  if (receiver !== String(pid) || !/^[1-9]\d{0,3}$/.test(count ?? '')) {
    throw new UsageError(
      `--web.systemd-socket: systemd has passed no socket to this process (LISTEN_PID is ${receiver ?? 'not set'}, LISTEN_FDS is ${count ?? 'not set'}): start it by a socket unit such as deploy/systemd/ollama-exporter.socket`,
    );
  }
  return Array.from({ length: Number(count) }, (_, index) => {
    const fd = FIRST_FD + index;
    return { fd, text: `file descriptor ${fd}` };
  });
}
