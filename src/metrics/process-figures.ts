/** Reads what the kernel and Node.js say of this process. */
import { openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** Bytes and seconds; undefined is what only Linux tells. */
export interface ProcessFigures {
  readonly cpu: { readonly user: number; readonly system: number; readonly total: number };
  readonly memory: {
    readonly resident: number;
    readonly virtual: number | undefined;
    readonly segment: number | undefined;
  };
  readonly heap: { readonly total: number; readonly used: number; readonly external: number };
  readonly openFiles: number | undefined;
  /** Of the event loop, since it was last asked. */
  readonly delay: Delay;
}

export interface Delay {
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** @returns reads the figures anew each time */
export function watchProcess(): () => ProcessFigures {
  const readStatus = statusReader();
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  histogram.enable();
  return () => {
    const { user, system } = process.cpuUsage();
    const heap = getHeapStatistics();
    const status = readStatus();
    return {
      cpu: { user: user / 1e6, system: system / 1e6, total: (user + system) / 1e6 },
      memory: {
        resident: kilobytes(status, 'VmRSS') ?? process.memoryUsage.rss(),
        virtual: kilobytes(status, 'VmSize'),
        segment: kilobytes(status, 'VmData'),
      },
      heap: { total: heap.total_heap_size, used: heap.used_heap_size, external: heap.external_memory },
      openFiles: countOpenFiles(),
      delay: takeDelay(histogram),
    };
  };
}

/** Kept open, since no other file can be opened when the process has used up its descriptors. */
function statusReader(): () => string {
  try {
    const file = openSync('/proc/self/status', 'r');
    const bytes = Buffer.alloc(4_096);
    return () => bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
  } catch {
    return () => '';
  }
}

function kilobytes(status: string, name: string): number | undefined {
  const start = status.indexOf(`${name}:`);
  return start < 0 ? undefined : Number.parseInt(status.slice(start + name.length + 1), 10) * 1_024;
}

function countOpenFiles(): number | undefined {
  try {
    // From Linux 6.2 on this tells their number, and a directory of many need not be read.
    return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

/** The limit at the time of the call; undefined where there is none, or none that can be told. */
export function maxOpenFiles(): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** Of an empty histogram the percentiles are no figures, and cost the most. */
function takeDelay(histogram: IntervalHistogram): Delay {
  if (histogram.count === 0) {
    return { max: 0, p50: 0, p90: 0, p99: 0 };
  }
  const [max, p50, p90, p99] = [
    histogram.max,
    histogram.percentile(50),
    histogram.percentile(90),
    histogram.percentile(99),
  ];
  histogram.reset();
  return { max: max / 1e9, p50: p50 / 1e9, p90: p90 / 1e9, p99: p99 / 1e9 };
}
