/** Formats values like `ollama ps` (cmd/cmd.go:1124-1177, format/time.go). */

/** `100% GPU`, `38%/62% CPU/GPU`, `100% CPU`, `Unknown` */
export function processor(sizeBytes: number, vramBytes: number | undefined): string {
  if (vramBytes === 0) {
    return '100% CPU';
  }
  if (vramBytes === sizeBytes) {
    return '100% GPU';
  }
  if (vramBytes === undefined || vramBytes > sizeBytes) {
    return 'Unknown';
  }
  const cpu = Math.round(((sizeBytes - vramBytes) / sizeBytes) * 100);
  return `${cpu}%/${100 - cpu}% CPU/GPU`;
}

export const FOREVER = 'Forever';

/**
 * `Forever`, `4 minutes from now`; for a past expiry more than the `Stopping...` of `ollama ps`, which is not always
 * true: a request may still run.
 *
 * @param seconds until the expiry; Infinity for never, undefined for no valid time
 */
export function until(seconds: number | undefined): string {
  if (seconds === undefined) {
    return 'not set yet: loading';
  }
  if (seconds === Number.POSITIVE_INFINITY) {
    return FOREVER;
  }
  return seconds < 0
    ? `overdue ${overdue(-seconds)}: busy or stopping`
    : `${humanDuration(seconds)} from now`;
}

function overdue(seconds: number): string {
  if (seconds < 60) {
    return `${Math.trunc(seconds)} s`;
  }
  const minutes = Math.trunc(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.trunc(minutes / 60)} h`;
}

/** In Go's units and with Go's roundings. */
function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds);
  const minutes = Math.trunc(seconds / 60);
  const hours = Math.round(seconds / 3_600);
  const words: ReadonlyArray<readonly [boolean, string]> = [
    [whole < 1, 'Less than a second'],
    [whole === 1, '1 second'],
    [whole < 60, `${whole} seconds`],
    [minutes === 1, 'About a minute'],
    [minutes < 60, `${minutes} minutes`],
    [hours === 1, 'About an hour'],
    [hours < 48, `${hours} hours`],
    [hours < 24 * 14, `${Math.trunc(hours / 24)} days`],
    [hours < 24 * 60, `${Math.trunc(hours / 24 / 7)} weeks`],
    [hours < 24 * 365 * 2, `${Math.trunc(hours / 24 / 30)} months`],
  ];
  const [, text] = words.find(([holds]) => holds) ?? [];
  return text ?? `${Math.trunc(Math.trunc(seconds / 3_600) / 24 / 365)} years`;
}
