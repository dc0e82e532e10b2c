/** How each fault begins and ends. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Exporter, MOST_FILES } from './exporter.ts';
import type { FaultName } from './judge.ts';
import type { ActiveFault, OllamaMessage } from './ollama.ts';

export interface Fault {
  readonly begin: (variant: number) => unknown;
  /** Resolves when everything is back to normal. */
  readonly end: () => unknown;
}

export interface Ollama {
  readonly port: number;
  readonly faults: Readonly<Record<Exclude<FaultName, 'descriptors' | 'storm'>, Fault>>;
  readonly overlaps: readonly string[];
  readonly kill: () => void;
}

/** More than an idle exporter has open. */
const FEW_FILES = 128;
const PROGRAM = new URL('ollama.js', import.meta.url);

export async function startOllama(): Promise<Ollama> {
  const overlaps: string[] = [];
  const start = async (port: number): Promise<readonly [ChildProcess, number]> => {
    const child = fork(PROGRAM, [String(port)]);
    child.on('message', ({ overlap }: OllamaMessage) => overlap && overlaps.push(overlap));
    const [message]: OllamaMessage[] = await once(child, 'message');
    return [child, message?.port ?? 0];
  };
  let [child, port] = await start(0);
  let active: readonly ActiveFault[] = [];
  let down = 0;
  const tell = async () => {
    if (down === 0) {
      child.send([...active]);
      await once(child, 'message');
    }
  };
  const signal = (name: NodeJS.Signals) => {
    down += 1;
    child.kill(name);
  };
  const up = () => {
    down -= 1;
    return tell();
  };
  const misbehaviour = (fault: FaultName): Fault => ({
    begin: (variant) => {
      active = [...active, { fault, variant }];
      return tell();
    },
    end: () => {
      active = active.filter((other) => other.fault !== fault);
      return tell();
    },
  });
  return {
    port,
    overlaps,
    kill: () => child.kill('SIGKILL'),
    faults: {
      hanging: misbehaviour('hanging'),
      dripping: misbehaviour('dripping'),
      resetting: misbehaviour('resetting'),
      garbage: misbehaviour('garbage'),
      huge: misbehaviour('huge'),
      clock: misbehaviour('clock'),
      stopped: {
        begin: () => signal('SIGSTOP'),
        end: () => {
          child.kill('SIGCONT');
          return up();
        },
      },
      killed: {
        begin: () => signal('SIGKILL'),
        end: async () => {
          [child] = await start(port);
          await up();
        },
      },
    },
  };
}

/** The crowd of all clients at once. */
export function storm(clients: () => ChildProcess): Fault {
  let ended: Promise<unknown>;
  return {
    begin: () => {
      ended = once(clients(), 'disconnect');
    },
    end: () => ended,
  };
}

/** Lowers the limit of open files, and opens more connections than it allows. */
export function descriptors({ pid, port }: Exporter): Fault {
  let sockets: readonly Socket[] = [];
  const limit = (files: number) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}:`]);
  return {
    begin: () => {
      limit(FEW_FILES);
      sockets = Array.from({ length: 2 * FEW_FILES }, () => connect(port, '127.0.0.1').on('error', () => {}));
    },
    end: async () => {
      await Promise.all(sockets.map((socket) => socket.closed || once(socket.destroy(), 'close')));
      limit(MOST_FILES);
    },
  };
}
