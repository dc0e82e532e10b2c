/** Reads processes from /proc. Missing or inaccessible data is undefined, never an error. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  isRealUid,
  type ListeningSocket,
  type ProcessStat,
  parsePageSize,
  parseSockets,
  parseStat,
  parseUid,
} from './process-files.ts';

export interface Processes {
  /** The exporter itself. */
  readonly self: ProcessStat | undefined;
  readonly stat: (pid: number) => ProcessStat | undefined;
  /** The effective user id. */
  readonly uid: (pid: number) => number | undefined;
  /** undefined if unknown. */
  readonly pageBytes: number | undefined;
  /** Its arguments, from the first 16 KiB. May never resolve: the kernel needs a lock that the process can hold. */
  readonly argv: (pid: number) => Promise<readonly string[] | undefined>;
  /** undefined if the kernel has no such file (CONFIG_PROC_CHILDREN). */
  readonly children: (pid: number) => readonly number[] | undefined;
  /** Inodes of its open sockets; undefined if the exporter's user may not see them. */
  readonly sockets: (pid: number) => ReadonlySet<number> | undefined;
  /** In the network namespace of the exporter. */
  readonly listening: () => readonly ListeningSocket[];
  /** All processes. Yields to the event loop: 5,000 processes take 0.1 s. */
  readonly all: () => Promise<readonly ProcessStat[]>;
  readonly isRealUid: (uid: number) => boolean;
}

const MAX_COMMAND_LINE = 16 * 1024;

/** Processes between two yields: 2 ms. */
const CHUNK = 100;

/** @param folder `/proc`, except in tests */
export function readProcesses(folder: string): Processes {
  const stat = (pid: number | 'self') => parseStat(readSmall(`${folder}/${pid}/stat`) ?? '');
  return {
    self: stat('self'),
    stat,
    uid: (pid) => parseUid(readSmall(`${folder}/${pid}/status`) ?? ''),
    pageBytes: parsePageSize(Buffer.from(readSmall(`${folder}/self/auxv`) ?? '', 'latin1')),
    argv: (pid) => readArgv(join(folder, `${pid}`, 'cmdline')),
    children: (pid) => {
      // A child is listed under the thread that forked it, which in Go can be any.
      const tasks = namesIn(join(folder, `${pid}`, 'task')).map((task) =>
        readAll(`${folder}/${pid}/task/${task}/children`),
      );
      const known = tasks.filter((text) => text !== undefined);
      return known.length === 0 ? undefined : known.flatMap((text) => pidsIn(text.split(' ')));
    },
    sockets: (pid) => readSockets(join(folder, `${pid}`, 'fd')),
    listening: () => ['tcp', 'tcp6'].flatMap((file) => parseSockets(textOf(join(folder, 'self/net', file)))),
    all: async () => {
      const pids = pidsIn(namesIn(folder));
      const found: ProcessStat[] = [];
      for (const [index, pid] of pids.entries()) {
        if (index % CHUNK === CHUNK - 1) {
          await nextTurn();
        }
        found.push(...[stat(pid) ?? []].flat());
      }
      return found;
    },
    isRealUid: (uid) => isRealUid(uid, textOf(join(folder, 'self/uid_map'))),
  };
}

/** One read returns the whole file. `readFileSync` takes twice as long, with five system calls. */
const PAGE = Buffer.allocUnsafe(4_096);

function readSmall(file: string): string | undefined {
  try {
    const fd = openSync(file, 'r');
    try {
      return PAGE.toString('latin1', 0, readSync(fd, PAGE));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** Also a file that is longer than usual. */
function readAll(file: string): string | undefined {
  const text = readSmall(file);
  return text?.length === PAGE.length ? textOf(file) : text;
}

/** '' if the file can't be read. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function pidsIn(texts: readonly string[]): readonly number[] {
  return texts.filter((text) => /^\d+$/.test(text)).map(Number);
}

async function readArgv(file: string): Promise<readonly string[] | undefined> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_COMMAND_LINE), 0, MAX_COMMAND_LINE, 0);
      return buffer.toString('utf8', 0, bytesRead).split('\0');
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

function readSockets(folder: string): ReadonlySet<number> | undefined {
  let files: readonly string[];
  try {
    files = readdirSync(folder);
  } catch {
    return undefined;
  }
  const inodes = files.flatMap((file) => {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(join(folder, file))) ?? [];
    return inode === undefined ? [] : [Number(inode)];
  });
  return new Set(inodes);
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
