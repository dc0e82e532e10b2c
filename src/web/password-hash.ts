/** Turns the text of a bcrypt hash into its cost, or into what is wrong with it. */

/** Version, cost, 22 characters of salt and 31 of hash. */
const HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const MIN_LENGTH = 59;
const [MIN_COST, MAX_COST] = [4, 31];

/**
 * Its messages never quote the hash, nor what was written in its place: it may be a password.
 *
 * @returns the hash, unchanged
 * @throws Error with the message of Go's golang.org/x/crypto/bcrypt where that has one
 */
export function parsePasswordHash(text: string): string {
  if (text.length < MIN_LENGTH) {
    throw new Error('hashedSecret too short to be a bcrypted password');
  }
  if (!text.startsWith('$')) {
    throw new Error("bcrypt hashes must start with '$'");
  }
  const [, cost] = HASH.exec(text) ?? [];
  if (cost === undefined) {
    throw new Error('expected a bcrypt hash such as htpasswd -nBC 10 "" prints, with $2a$, $2b$ or $2y$');
  }
  if (Number(cost) < MIN_COST || Number(cost) > MAX_COST) {
    throw new Error(`cost ${Number(cost)} is outside allowed inclusive range ${MIN_COST}..${MAX_COST}`);
  }
  return text;
}

/** @param hash that parsePasswordHash took */
export function costOf(hash: string): string {
  return hash.slice(4, 6);
}
