/** A separate network and mount namespace, so that containers leave no bridges, rules or mounts on the machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Longer than all tests together, in case they are killed before cleaning up. */
const AT_MOST_S = 900;

export interface Network {
  /** The prefix of a command to run in there. */
  readonly enter: readonly string[];
  readonly close: () => Promise<void>;
}

export async function openNetwork(env: Readonly<Record<string, string>>): Promise<Network> {
  const prepare = [
    'mount -t tmpfs tmpfs /run',
    'mount -t tmpfs tmpfs /var/lib',
    'ip link set lo up',
    'echo ready',
    `exec sleep ${AT_MOST_S}`,
  ];
  const unshare = ['--net', '--mount', '--propagation', 'private', 'sh', '-ec', prepare.join('\n')];
  const holder = spawn('unshare', unshare, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('could not make a network namespace'))),
  ]);
  const of = (kind: string) => `/proc/${holder.pid}/ns/${kind}`;
  return {
    enter: ['nsenter', `--net=${of('net')}`, `--mount=${of('mnt')}`],
    close: async () => {
      holder.kill();
      await ended;
    },
  };
}
