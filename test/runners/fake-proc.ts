/** A folder with the files of /proc, for the real reader. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface FakeProcess {
  readonly pid: number;
  readonly parent?: number;
  readonly comm: string;
  readonly argv: readonly string[];
  readonly uid?: number;
  readonly state?: string;
  readonly startTicks?: number;
  readonly residentKib?: number;
  /** Inodes; undefined: not visible to another user. */
  readonly sockets?: readonly number[] | undefined;
  /** The thread that forks processes. */
  readonly forkingThread?: number;
}

export interface FakeSocket {
  readonly port: number;
  readonly uid?: number;
  readonly inode?: number;
  /** As in /proc/net/tcp: with the bytes of each word reversed. */
  readonly address?: string;
}

export const OLLAMA_UID = 998;
/** The start time of the exporter. */
const SELF_TICKS = 5_000;

export class FakeProc {
  readonly root = mkdtempSync(join(tmpdir(), 'runners-'));
  readonly folder = join(this.root, 'proc');
  /** Whether the kernel lists the children of a thread. */
  hasChildrenFiles = true;
  readonly #processes = new Map<number, FakeProcess>();
  readonly #sockets: FakeSocket[] = [];

  constructor() {
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
    this.#write('self/stat', statLine({ pid: 4_000, comm: 'node', argv: [], startTicks: SELF_TICKS }));
    this.#write('self/auxv', AUXILIARY_VECTOR);
    this.uidMap('         0          0 4294967295\n');
    this.#writeSockets();
  }

  uidMap(text: string): void {
    this.#write('self/uid_map', text);
  }

  add(...processes: readonly FakeProcess[]): this {
    for (const process of processes) {
      this.#processes.set(process.pid, process);
      this.#writeProcess(process);
    }
    this.#writeChildren();
    return this;
  }

  remove(pid: number): void {
    this.#processes.delete(pid);
    rmSync(join(this.folder, `${pid}`), { recursive: true, force: true });
    this.#writeChildren();
  }

  listen(...sockets: readonly FakeSocket[]): this {
    this.#sockets.push(...sockets);
    this.#writeSockets();
    return this;
  }

  #writeProcess(process: FakeProcess): void {
    const { pid, comm, argv, uid = OLLAMA_UID, sockets, state = 'S' } = process;
    rmSync(join(this.folder, `${pid}`), { recursive: true, force: true });
    this.#write(`${pid}/stat`, statLine(process));
    this.#write(`${pid}/status`, `Name:\t${comm}\nUid:\t0\t${uid}\t0\t0\nGid:\t0\t0\t0\t0\n`);
    this.#write(`${pid}/cmdline`, state === 'Z' ? '' : argv.map((word) => `${word}\0`).join(''));
    if (sockets !== undefined) {
      mkdirSync(join(this.folder, `${pid}/fd`));
      symlinkSync('/dev/null', join(this.folder, `${pid}/fd/0`));
      for (const inode of sockets) {
        symlinkSync(`socket:[${inode}]`, join(this.folder, `${pid}/fd/${inode}`));
      }
    }
  }

  #writeChildren(): void {
    for (const { pid, forkingThread = pid } of this.#processes.values()) {
      const children = [...this.#processes.values()].filter(({ parent }) => parent === pid);
      for (const thread of this.hasChildrenFiles ? [pid, forkingThread] : []) {
        const text = thread === forkingThread ? children.map((child) => `${child.pid} `).join('') : '';
        this.#write(`${pid}/task/${thread}/children`, text);
      }
    }
  }

  #writeSockets(): void {
    const head =
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
    const lines = this.#sockets.map((socket, index) => ({ ...socket, line: socketLine(index, socket) }));
    const isV6 = ({ address }: FakeSocket) => address?.length === 32;
    const connected =
      '   9: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 999 1 0 20 4 30 10 -1\n';
    const v4 = lines.filter((socket) => !isV6(socket)).map(({ line }) => line);
    this.#write('self/net/tcp', `${head}${connected}${v4.join('')}`);
    this.#write(
      'self/net/tcp6',
      `${head}${lines
        .filter(isV6)
        .map(({ line }) => line)
        .join('')}`,
    );
  }

  #write(path: string, text: string | Uint8Array): void {
    const file = join(this.folder, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
  }
}

/** Of getauxval(3): pairs of a type and a value; 6 is the size of a page. */
const AUXILIARY_VECTOR = new Uint8Array(
  new BigUint64Array([33n, 140_243_778_187_264n, 16n, 395_049_983n, 6n, 4_096n, 17n, 100n, 0n, 0n]).buffer,
);

function statLine({
  pid,
  comm,
  parent = 1,
  state = 'S',
  startTicks = 1_000,
  residentKib = 1_000,
}: FakeProcess) {
  const before = `${pid} (${comm}) ${state} ${parent} 1 1 0 -1 4194560 100 0 0 0 5 3 0 0 20 0 9 0`;
  return `${before} ${startTicks} 1000000 ${residentKib / 4} 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n`;
}

function socketLine(
  index: number,
  { port, uid = OLLAMA_UID, inode = port, address = '0100007F' }: FakeSocket,
) {
  const local = `${address}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const remote = `${'0'.repeat(address.length)}:0000`;
  return `  ${index}: ${local} ${remote} 0A 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0 100 0 0 10 0\n`;
}

/** @param sockets undefined: not visible to another user */
export function ollamaServe(pid: number, sockets: readonly number[] | undefined): FakeProcess {
  return { pid, comm: 'ollama', argv: ['ollama', 'serve'], sockets };
}

/** The command line of a runner in Ollama 0.33. */
export function llamaServer(blob: string, port: number): readonly string[] {
  return [
    '/usr/lib/ollama/llama-server',
    '--model',
    `/root/.ollama/models/blobs/sha256-${blob}`,
    '--port',
    String(port),
    '--host',
    '127.0.0.1',
    '--no-webui',
    '--offline',
    '-c',
    '16384',
    '-np',
    '4',
  ];
}

/** 64 hexadecimal digits, the same for the same text. */
export function hash(text: string): string {
  return Buffer.from(text).toString('hex').padEnd(64, '0').slice(0, 64);
}
