/** What an exporter holds: memory, file descriptors. */
import { readFileSync } from 'node:fs';
import { parseExposition, sampleValue } from '../exposition.ts';
import type { Exporter } from './exporters.ts';

export interface Vitals {
  readonly heapMiB: number;
  readonly residentMiB: number;
  /** Since it was started. */
  readonly peakMiB: number;
  readonly fds: number;
}

/** What a storm leaves behind, two connections to Ollama for each of 40 scrapes, is there before, too. */
const MORE_FDS = 20;
/** A scrape in ten minutes' load that leaves 300 bytes behind shows. */
const MORE_HEAP_MIB = 8;
/**
 * Of young objects V8 keeps up to 48 MiB once there was load, and of two answers of 17 MiB, in pieces and whole, the
 * allocator may not have given anything back yet.
 */
const MORE_RESIDENT_MIB = 48 + 68;
/** The limit that the example of an exporter beside Ollama has in Kubernetes: beyond it, it would be killed. */
const MOST_RESIDENT_MIB = 256;

/** After a collection of garbage. */
export async function measureVitals({ child, pid, url }: Exporter): Promise<Vitals> {
  child.kill('SIGWINCH');
  const text = async () => await (await fetch(new URL('/metrics', url))).text();
  await text();
  child.kill('SIGWINCH');
  const exposition = parseExposition(await text());
  const value = (name: string) => sampleValue(exposition, name) ?? Number.NaN;
  return {
    heapMiB: value('nodejs_heap_size_used_bytes') / 1024 ** 2,
    residentMiB: value('process_resident_memory_bytes') / 1024 ** 2,
    peakMiB: peakKiB(pid) / 1024,
    fds: value('process_open_fds'),
  };
}

function peakKiB(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
}

/** @returns what has grown that should not have */
export function growth(before: Vitals, after: Vitals): readonly string[] {
  const heap = after.heapMiB - before.heapMiB;
  const resident = after.residentMiB - before.residentMiB;
  const fds = after.fds - before.fds;
  return [
    ...(heap <= MORE_HEAP_MIB ? [] : [`the heap grew by ${heap.toFixed(1)} MiB`]),
    ...(resident <= MORE_RESIDENT_MIB ? [] : [`it stays ${resident.toFixed(0)} MiB larger in memory`]),
    ...(after.peakMiB <= MOST_RESIDENT_MIB ? [] : [`it took ${after.peakMiB.toFixed(0)} MiB of memory`]),
    ...(fds <= MORE_FDS ? [] : [`${fds} more file descriptors`]),
  ];
}
