/** Turns figures into the words of `ollama ps` (cmd/cmd.go:1124-1177, format/bytes.go). */

const UNITS = [
  ['TB', 1e12],
  ['GB', 1e9],
  ['MB', 1e6],
  ['KB', 1e3],
] as const;

/** `6.7 GB`, `68 GB`: decimal units; from 10 on cut to a whole number. */
export function humanBytes(bytes: number): string {
  const [unit, size] = UNITS.find((candidate) => bytes >= candidate[1]) ?? ['B', 1];
  const value = bytes / size;
  const text = value >= 10 || Number.isInteger(value) ? String(Math.trunc(value)) : value.toFixed(1);
  return `${text} ${unit}`;
}

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
