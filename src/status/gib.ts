/** Formats bytes as GiB with one decimal, so that the values on the page add up. */

const TENTH = 1024 ** 3 / 10;

/** The memory of one or all models as shown; `–` if the server does not report it. */
export interface ShownSizes {
  readonly vram: string;
  readonly ram: string;
  /** VRAM + RAM, as shown. */
  readonly size: string;
}

/** `17.6`, without the unit; `<0.1` if it would round to zero. */
export function gib(bytes: number): string {
  return shown(tenths(bytes), bytes > 0);
}

/** @param vram and `ram`: null if the server does not report them */
export function shownSizes(size: number, vram: number | null, ram: number | null): ShownSizes {
  if (vram === null || ram === null) {
    return { vram: '–', ram: '–', size: `${gib(size)} GiB` };
  }
  // If a server reports more VRAM than size, both are shown as reported.
  const sum = vram > size ? tenths(size) : tenths(vram) + tenths(ram);
  return { vram: `${gib(vram)} GiB`, ram: `${gib(ram)} GiB`, size: `${shown(sum, size > 0)} GiB` };
}

/** `73%` */
export function percent(part: number, whole: number): string {
  return `${Math.round((part / whole) * 100)}%`;
}

function tenths(bytes: number): number {
  return Math.round(bytes / TENTH);
}

function shown(tenths: number, isSome: boolean): string {
  return tenths === 0 && isSome ? '<0.1' : (tenths / 10).toFixed(1);
}
