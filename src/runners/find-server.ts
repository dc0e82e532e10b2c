/** Finds the process of the Ollama that the exporter scrapes, and keeps it while it runs. */
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../ollama/errors.ts';
import { isServe, mayBeServer } from './command.ts';
import { type Candidate, type LocalTarget, listenersAt, pickServer } from './ollama-server.ts';
import type { ProcessStat } from './process-files.ts';
import type { Processes } from './processes.ts';

export interface Server extends ProcessStat {
  readonly uid: number;
}

export interface ServerFinder {
  readonly known: () => Server | undefined;
  /** @throws ApiError `hidden` or `ambiguous` */
  readonly find: () => Promise<Server>;
}

/** The arguments of a process; undefined if they cannot be read in time. */
export type Argv = (process: ProcessStat) => Promise<readonly string[] | undefined>;

interface ServerFinderOptions {
  readonly processes: Processes;
  readonly target: LocalTarget;
  /** All processes. */
  readonly walk: () => Promise<readonly ProcessStat[]>;
  readonly argv: Argv;
}

export function createServerFinder({ processes, target, walk, argv }: ServerFinderOptions): ServerFinder {
  let server: Server | undefined;
  const find = async (): Promise<Server> => {
    if (server !== undefined && isRunning(processes, server)) {
      return server;
    }
    const seen = (await walk()).filter((process) => mayBeServer(process) && isRunning(processes, process));
    const listeners = listenersAt(target, processes.listening());
    const candidates = await Promise.all(
      seen.map(async (process): Promise<Candidate> => {
        const uid = processes.uid(process.pid) ?? Number.NaN;
        const sockets = processes.sockets(process.pid);
        // No others: reading the arguments of four processes that hang would occupy all threads of the exporter.
        const isNeeded = sockets === undefined && listeners.some((listener) => listener.uid === uid);
        const words = isNeeded ? await argv(process) : [];
        // One whose arguments cannot be read may be a server.
        return { ...process, uid, isServe: words === undefined || isServe(words), sockets };
      }),
    );
    const picked = pickServer(candidates, listeners, target.port);
    if (!processes.isRealUid(picked.uid)) {
      throw new ApiError('hidden', 'the user of the process ollama is hidden by a user namespace');
    }
    server = picked;
    return picked;
  };
  return { known: () => server, find };
}

/** Timeout for a command line, read once per process: see {@link Processes.argv}. */
const ARGV_MS = 1_000;

export function createArgv(processes: Processes): Argv {
  const pending = new Map<string, Promise<readonly string[] | undefined>>();
  return async (process) => {
    const processKey = processKeyOf(process);
    // Each read that hangs occupies a thread, so there is only one per process.
    const reading = pending.get(processKey) ?? processes.argv(process.pid);
    pending.set(processKey, reading);
    const read = reading.finally(() => pending.delete(processKey));
    return await Promise.race([read, delay(ARGV_MS, undefined, { ref: false })]);
  };
}

/** Pid and start time, which no two processes share. */
export function processKeyOf({ pid, startTicks }: ProcessStat): string {
  return `${pid} ${startTicks}`;
}

/** False for a zombie: its pid remains until its parent collects it. */
function isRunning(processes: Processes, process: ProcessStat): boolean {
  const now = processes.stat(process.pid);
  return now?.startTicks === process.startTicks && mayBeServer(now);
}
