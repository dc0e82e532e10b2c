/** What an exporter holds: memory, file descriptors. */
import { parseExposition, sampleValue } from '../exposition.ts';
import type { Exporter } from './exporters.ts';

export interface Vitals {
  readonly heapMiB: number;
  readonly residentMiB: number;
  readonly fds: number;
}

/** What a storm leaves behind, two connections to Ollama for each of 40 scrapes, is there before, too. */
const MORE_FDS = 20;
/** A scrape in ten minutes' load that leaves 300 bytes behind shows. */
const MORE_HEAP_MIB = 8;

/** After a collection of garbage. */
export async function measureVitals({ child, url }: Exporter): Promise<Vitals> {
  child.kill('SIGWINCH');
  const text = async () => await (await fetch(new URL('/metrics', url))).text();
  await text();
  child.kill('SIGWINCH');
  const exposition = parseExposition(await text());
  const value = (name: string) => sampleValue(exposition, name) ?? Number.NaN;
  return {
    heapMiB: value('nodejs_heap_size_used_bytes') / 1024 ** 2,
    residentMiB: value('process_resident_memory_bytes') / 1024 ** 2,
    fds: value('process_open_fds'),
  };
}

/** @returns what has grown that should not have */
export function growth(before: Vitals, after: Vitals): readonly string[] {
  const heap = after.heapMiB - before.heapMiB;
  const fds = after.fds - before.fds;
  return [
    ...(heap <= MORE_HEAP_MIB ? [] : [`the heap grew by ${heap.toFixed(1)} MiB`]),
    ...(fds <= MORE_FDS ? [] : [`${fds} more file descriptors`]),
  ];
}
