/** Maps of limited size that keep the most recently used entries. */

/** Makes the entry the latest one. @returns the keys that were dropped for it */
export function keepLatest<T>(map: Map<string, T>, key: string, value: T, max: number): readonly T[] {
  map.delete(key);
  map.set(key, value);
  return dropOldest(map, map.size - max);
}

/** @returns the dropped keys */
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
