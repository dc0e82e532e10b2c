/** Queries nvidia-smi for the memory of the machine's NVIDIA GPUs. */
import { type ChildProcess, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf } from '../log/error-text.ts';
import type { Machine } from './machine.ts';

const MIB = 1024 ** 2;

export interface NvidiaGpus {
  /** The sum over all GPUs with dedicated memory. */
  readonly bytes: number;
  /** Whether a GPU has no dedicated memory and uses the machine's (GB10, Jetson). */
  readonly sharesRam: boolean;
  /** Errors of other GPUs, which are not counted. */
  readonly problems: readonly string[];
  /** Why nothing was found. */
  readonly none: string;
}

/** @throws Error if nvidia-smi does not return in time, or reports no GPU */
export type NvidiaSmi = () => Promise<NvidiaGpus>;

export function createNvidiaSmi({ env, timeoutMs }: Machine): NvidiaSmi {
  let child: ChildProcess | undefined;
  return async () => {
    // If the driver is stuck, SIGKILL does not end the process, and another one would be stuck, too.
    if (child?.exitCode === null && child.signalCode === null) {
      throw timeoutError(timeoutMs);
    }
    const args = ['--query-gpu=memory.total', '--format=csv,noheader,nounits'];
    const running = promisify(execFile)('nvidia-smi', args, { env });
    child = running.child;
    const gpus = running.then(({ stdout }) => read(stdout), readFailed);
    return await killedAfter(timeoutMs, running.child, gpus);
  };
}

/** Like execFile's own timeout, but without waiting for the process to end. */
async function killedAfter<T>(timeoutMs: number, child: ChildProcess, output: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      reject(timeoutError(timeoutMs));
    }, timeoutMs);
  });
  try {
    return await Promise.race([output, late]);
  } finally {
    clearTimeout(timer);
  }
}

function timeoutError(timeoutMs: number): Error {
  return new Error(`nvidia-smi did not respond within ${timeoutMs / 1_000} s`);
}

/** If one GPU fails, nvidia-smi exits with a code other than 0 after listing the others. */
function readFailed(cause: unknown): NvidiaGpus {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') {
    return read('', 'nvidia-smi is not on PATH');
  }
  const stdout =
    typeof code === 'number' && cause instanceof Error && 'stdout' in cause ? String(cause.stdout) : '';
  const gpus = read(stdout);
  // nvidia-smi reports errors on stdout; stderr is in the message already.
  const failure = `nvidia-smi failed: ${messageOf(cause)} `;
  if (gpus.bytes === 0 && !gpus.sharesRam && !isEmptyList(stdout)) {
    throw new Error(oneLine(failure + stdout), { cause });
  }
  return gpus.problems.length > 0 || isEmptyList(stdout) ? gpus : { ...gpus, problems: [oneLine(failure)] };
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}

function isEmptyList(stdout: string): boolean {
  return stdout.includes('No devices were found');
}

/** One line per GPU, in MiB. */
function read(stdout: string, none = 'nvidia-smi lists no GPU'): NvidiaGpus {
  const lines = isEmptyList(stdout) ? [] : stdout.split('\n').map((line) => line.trim());
  let bytes = 0;
  let sharesRam = false;
  const problems: string[] = [];
  for (const [gpu, line] of lines.filter((text) => text !== '').entries()) {
    if (/^\d+$/.test(line) && Number(line) > 0) {
      bytes += Number(line) * MIB;
    } else if (/^(0|\[?(N\/A|Not Supported)\]?)$/i.test(line)) {
      sharesRam = true;
    } else {
      // `[GPU is lost]` is the line of a GPU; other messages name the GPU.
      problems.push(line.startsWith('[') ? `GPU ${gpu}: ${line}` : line);
    }
  }
  return { bytes, sharesRam, problems, none };
}
