/** Turns what the machine says of itself into bytes of VRAM and RAM, for `auto`. Right only beside Ollama. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** How much memory the machine of an Ollama has, which Ollama does not say; undefined where nobody said so. */
export interface Capacity {
  readonly vramBytes: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** Where to look: `/` and the PATH of the process, but for tests. */
export interface Machine {
  readonly root: string;
  readonly path: string;
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

/** A driver that hangs must not keep the exporter from starting for long. */
const NVIDIA_SMI_TIMEOUT_MS = 10_000;

/**
 * The sum over all GPUs: of NVIDIA if there is one, else of AMD. (An AMD processor's graphics unit beside an NVIDIA
 * card would only add memory that Ollama does not use.)
 *
 * @returns bytes
 * @throws Error that says where nothing was found, and what to do instead
 */
export async function detectVramBytes(machine: Machine): Promise<number> {
  const nvidia = await nvidiaVramBytes(machine).catch((error: Error) => error);
  const bytes = typeof nvidia === 'number' ? nvidia : amdVramBytes(machine);
  if (bytes > 0) {
    return bytes;
  }
  const tried = nvidia instanceof Error ? nvidia.message : 'nvidia-smi names no GPU with memory of its own';
  throw new Error(
    `--ollama.vram-capacity auto found no GPU (${tried}; no mem_info_vram_total under /sys/class/drm): give a size such as 24GiB`,
  );
}

async function nvidiaVramBytes({ path }: Machine): Promise<number> {
  const args = ['--query-gpu=memory.total', '--format=csv,noheader,nounits'];
  const options = { env: { PATH: path }, timeout: NVIDIA_SMI_TIMEOUT_MS };
  const { stdout } = await promisify(execFile)('nvidia-smi', args, options).catch(
    (cause: NodeJS.ErrnoException) => {
      const problem =
        cause.code === 'ENOENT' ? 'is not on PATH' : `failed: ${cause.message.trim().replaceAll('\n', ' ')}`;
      throw new Error(`nvidia-smi ${problem}`, { cause });
    },
  );
  // One line of MiB a GPU; "[N/A]" where it has no memory of its own.
  return sum(stdout.split('\n').map((line) => Number.parseInt(line, 10) * MIB));
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
