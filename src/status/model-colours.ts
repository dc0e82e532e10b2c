/** Assigns each model a colour for its segments and its row. */

/** The number of classes `c0`, `c1` and so on in style.css. */
const COLOURS = 8;

/**
 * By name, so that a model keeps its colour when others are unloaded; if a colour is taken, the next one is used.
 *
 * @returns the class of each name
 */
export function coloursOf(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Map<number, number>();
  return new Map(
    [...new Set(names)].sort().map((name) => {
      const first = hash(name) % COLOURS;
      const colours = Array.from({ length: COLOURS }, (_, index) => (first + index) % COLOURS);
      const least = Math.min(...colours.map((colour) => taken.get(colour) ?? 0));
      const colour = colours.find((candidate) => (taken.get(candidate) ?? 0) === least) ?? first;
      taken.set(colour, least + 1);
      return [name, `c${colour}`];
    }),
  );
}

/** FNV-1a. */
function hash(text: string): number {
  return Buffer.from(text).reduce((state, byte) => Math.imul(state ^ byte, 16_777_619) >>> 0, 2_166_136_261);
}
