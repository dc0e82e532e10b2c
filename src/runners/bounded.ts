/** Maps that keep what was used last, up to a number. */

/** Makes the entry the latest one. @returns what had to be dropped for it */
export function keepLatest<T>(map: Map<string, T>, key: string, value: T, max: number): readonly T[] {
  map.delete(key);
  map.set(key, value);
  return dropOldest(map, map.size - max);
}

/** @returns what was dropped */
export function dropOldest<T>(map: Map<string, T>, count: number): readonly T[] {
  const dropped: T[] = [];
  for (const [key, value] of map) {
    if (dropped.length >= count) {
      break;
    }
    map.delete(key);
    dropped.push(value);
  }
  return dropped;
}
