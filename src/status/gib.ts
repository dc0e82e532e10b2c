/** Turns bytes into GiB with one decimal, so that the numbers on the page add up. */

const TENTH = 1024 ** 3 / 10;

/** What memory of one or all models is shown as; `–` where the server does not report it. */
export interface ShownSizes {
  readonly vram: string;
  readonly ram: string;
  /** VRAM + RAM, as shown. */
  readonly size: string;
}

/** `17.6`, without its unit; `<0.1` for what would round to nothing. */
export function gib(bytes: number): string {
  return shown(tenths(bytes), bytes > 0);
}

/** @param vram and `ram`: null where the server does not report them */
export function shownSizes(size: number, vram: number | null, ram: number | null): ShownSizes {
  if (vram === null || ram === null) {
    return { vram: '–', ram: '–', size: `${gib(size)} GiB` };
  }
  // A server that reports more VRAM than size: both as it reports them.
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
