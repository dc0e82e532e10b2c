/** The figures that are reported: what each is called, and how it follows from what the load saw. */

/**
 * Others are in the JSON alone.
 *
 * @type {Readonly<Record<string, readonly [title: string, digits: number]>>}
 */
export const FIGURES = {
  perSecond: ['scrapes a second', 0],
  p50: ['p50, ms', 2],
  p99: ['p99, ms', 2],
  cpuMs: ['CPU per scrape, ms', 3],
  cpuShare: ['CPU, % of a core', 2],
  cpuGzipMs: ['CPU per scrape with gzip, ms', 3],
  gzipCost: ['CPU with gzip to CPU without', 2],
  bytes: ['bytes', 0],
  gzipBytes: ['bytes with gzip', 0],
  othersShare: ['not 200 or not whole, %', 1],
  rssMiB: ['RSS, MiB', 1],
  peakRssMiB: ['RSS at its peak, MiB', 1],
  growth: ['RSS, last tenth to the sixth', 3],
  startMs: ['start to first good scrape, ms', 0],
  exitMs: ['SIGTERM to exit, ms', 0],
};

export const MIB = 1_024 ** 2;

/**
 * @param {import('./tally.mjs').Report} report of a job whose first two pids are the simulated Ollama and the contestant
 * @returns {Record<string, number>} without what nobody could tell
 */
export function figuresOf({ seconds, scrapes, others, p50, p99, cpuSeconds, loadCpuSeconds, bytes }) {
  const [ollama, contestant] = cpuSeconds;
  const failed = Object.values(others).reduce((sum, number) => sum + number, 0);
  return known({
    perSecond: scrapes / seconds,
    p50,
    p99,
    cpuMs: contestant === undefined || scrapes === 0 ? undefined : (contestant * 1_000) / scrapes,
    cpuShare: contestant === undefined ? undefined : (contestant * 100) / seconds,
    bytes: scrapes === 0 ? undefined : bytes,
    othersShare: (failed * 100) / Math.max(1, scrapes + failed),
    loadShare: (loadCpuSeconds * 100) / seconds,
    ollamaShare: ollama === undefined ? undefined : (ollama * 100) / seconds,
  });
}

/**
 * @param {Readonly<Record<string, number | null | undefined>>} figures
 * @returns {Record<string, number>}
 */
function known(figures) {
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value]] : [])),
  );
}
