/** Turns what the machine says of itself into bytes of VRAM and RAM, for `auto`. Right only beside Ollama. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../log/error-text.ts';
import type { Capacity } from '../scrape/snapshot.ts';

/** Where to look: `/` and the environment of the process, but for tests. */
export interface Machine {
  readonly root: string;
  /** For nvidia-smi: its PATH, and what it needs to find the driver's libraries. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For nvidia-smi to answer: a driver that hangs must not keep the exporter from starting for long. */
  readonly patienceMs: number;
}

/** Bytes; `auto` is to be found out; undefined stays unknown. */
export interface CapacityOptions {
  readonly vramCapacity: number | 'auto' | undefined;
  readonly memoryCapacity: number | 'auto' | undefined;
}

/** @throws Error that names the option whose `auto` found nothing */
export async function resolveCapacity(
  { vramCapacity, memoryCapacity }: CapacityOptions,
  machine: Machine,
): Promise<Capacity> {
  return {
    vramBytes: vramCapacity === 'auto' ? await detectVramBytes(machine) : vramCapacity,
    memoryBytes: memoryCapacity === 'auto' ? detectMemoryBytes(machine) : memoryCapacity,
  };
}

const MIB = 1024 ** 2;

/**
 * The sum over all GPUs: of NVIDIA if there is one, else of AMD. (An AMD processor's graphics unit beside an NVIDIA
 * card would only add memory that Ollama does not use.)
 *
 * @returns bytes
 * @throws Error that says where nothing was found, and what to do instead. An nvidia-smi that fails is one, too: what
 *   AMD's driver knows of would be taken for the card.
 */
export async function detectVramBytes(machine: Machine): Promise<number> {
  const nvidia = await nvidiaVramBytes(machine);
  const bytes = nvidia.bytes || amdVramBytes(machine);
  if (bytes === 0) {
    throw noGpu(`${nvidia.problem}; no mem_info_vram_total under /sys/class/drm`);
  }
  return bytes;
}

function noGpu(tried: string, options?: ErrorOptions): Error {
  return new Error(`--ollama.vram-capacity auto found no GPU (${tried}): give a size such as 24GiB`, options);
}

interface Found {
  readonly bytes: number;
  /** Why there are none, if there are none. */
  readonly problem: string;
}

async function nvidiaVramBytes({ env, patienceMs }: Machine): Promise<Found> {
  const args = ['--query-gpu=memory.total', '--format=csv,noheader,nounits'];
  const options = { env, timeout: patienceMs, killSignal: 'SIGKILL' } as const;
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', args, options);
    // One line of MiB a GPU; "[N/A]" where it has no memory of its own.
    const bytes = sum(stdout.split('\n').map((line) => Number.parseInt(line, 10) * MIB));
    return { bytes, problem: 'nvidia-smi names no GPU with memory of its own' };
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      return { bytes: 0, problem: 'nvidia-smi is not on PATH' };
    }
    const killed = cause instanceof Error && 'killed' in cause && cause.killed === true;
    const problem = killed ? `did not answer within ${patienceMs / 1_000} s` : `failed: ${saidBy(cause)}`;
    throw noGpu(`nvidia-smi ${problem}`, { cause });
  }
}

/** nvidia-smi complains on stdout, others on stderr, which is in the message already. */
function saidBy(error: unknown): string {
  const stdout = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
  const message = messageOf(error);
  return `${message} ${stdout}`.trim().replaceAll(/\s*\n\s*/g, ' ');
}

/** https://docs.kernel.org/gpu/amdgpu/driver-misc.html#mem-info-vram-total */
function amdVramBytes({ root }: Machine): number {
  const drm = join(root, 'sys/class/drm');
  const cards = existsSync(drm) ? readdirSync(drm).filter((name) => /^card\d+$/.test(name)) : [];
  return sum(cards.map((card) => readNumber(join(drm, card, 'device/mem_info_vram_total'))));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + (Number.isFinite(number) ? number : 0), 0);
}

/** The machine's RAM or the tightest limit of the control groups that the exporter is in, whichever is less; bytes. */
export function detectMemoryBytes({ root }: Machine): number {
  const total = memTotalBytes(root) ?? totalmem();
  return Math.min(total, ...controlGroupLimits(root).filter(Number.isFinite));
}

function memTotalBytes(root: string): number | undefined {
  const [, kibibytes] = /^MemTotal:\s+(\d+) kB$/m.exec(readText(join(root, 'proc/meminfo'))) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** A group's limit holds for all groups below it, so those up to the root count too. NaN where there is none. */
function controlGroupLimits(root: string): readonly number[] {
  return readText(join(root, 'proc/self/cgroup'))
    .split('\n')
    .flatMap((line) => {
      const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
      const file = hierarchy === '0' ? 'memory.max' : 'memory.limit_in_bytes';
      const mount = hierarchy === '0' ? 'sys/fs/cgroup' : 'sys/fs/cgroup/memory';
      const holds = hierarchy === '0' || controllers?.split(',').includes('memory');
      return path !== undefined && holds
        ? ancestors(path).map((group) => readNumber(join(root, mount, group, file)))
        : [];
    });
}

/** `/a/b` → `/a/b`, `/a`, `/` */
function ancestors(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...ancestors(parent)];
}

function readNumber(file: string): number {
  const text = readText(file).trim();
  return text === '' ? Number.NaN : Number(text);
}

/** '' where the file can't be read: what one kernel has another does not. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
