/** Texts of a scrape result, or of the fleet, each rendered once for all waiting requests. */
import { RequestError } from '../scrape/request-error.ts';

/** Per result: pages differ by their sort order. */
const MAX_TEXTS = 8;

/** @returns what `make` returned the first time for this result and key; throws a RequestError for too many keys */
export type SharedTexts = (result: object, key: string, make: () => string) => Buffer;

export function createSharedTexts(): SharedTexts {
  const byResult = new WeakMap<object, Map<string, Buffer>>();
  return (result, key, make) => {
    const texts = byResult.get(result) ?? new Map<string, Buffer>();
    byResult.set(result, texts);
    const known = texts.get(key);
    if (known !== undefined) {
      return known;
    }
    if (texts.size >= MAX_TEXTS) {
      throw new RequestError(
        503,
        `More than ${MAX_TEXTS} different pages of one scrape were requested at a time.`,
      );
    }
    // As bytes, which the connections share.
    const text = Buffer.from(make());
    texts.set(key, text);
    return text;
  };
}
