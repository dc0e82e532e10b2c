/** The one clock of the soak: monotonic, and the same in all of its processes. */

/** Milliseconds. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
