/** Checks the passwords of `basic_auth_users`: one bcrypt comparison at a time, whose result is cached. */
import { createHmac, randomBytes } from 'node:crypto';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface Client {
  /** Clients with the same address share their turns. */
  readonly address: string;
  readonly hasDisconnected: () => boolean;
}

/** @returns whether the bcrypt hash matches the password; slow on purpose */
export type Compare = (password: string, hash: string) => Promise<boolean>;

/** Per client, which can send any number of requests on one connection, faster than they are checked. */
export const MAX_WAITING = 1_000;

/** Enough for scrapers with a mistyped password, too few to fill the memory. */
const MAX_REFUSED = 100;

/** The hash that exporter-toolkit uses for unknown users. */
const DUMMY_HASH = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';

export class TooManyChecksError extends Error {
  override readonly name = 'TooManyChecksError';
}

export class Passwords {
  readonly #compare: Compare;
  readonly #turns = new Turns();
  /** Results are cached under a keyed hash, so that no password is kept. */
  readonly #key = randomBytes(32);
  /** One per user, so that a flood of wrong passwords can't evict it. */
  readonly #admitted = new Map<string, string>();
  /** Oldest first. */
  readonly #refused = new Set<string>();

  constructor(compare: Compare) {
    this.#compare = compare;
  }

  /**
   * @param users from name to bcrypt hash
   * @returns whether the password is correct; undefined if the client disconnected before its turn
   * @throws TooManyChecksError if too many checks of this client are queued; and the errors of compare
   */
  async check(
    { user, password }: Credentials,
    users: ReadonlyMap<string, string>,
    client: Client,
  ): Promise<boolean | undefined> {
    // Computed for known users too, so that both take the same time.
    const dummyHash = dummyHashFor(user, users);
    const isKnown = users.has(user);
    const hash = users.get(user) ?? dummyHash;
    const id = this.#idOf(user, hash, password, String(isKnown));
    const remembered = this.#recall(user, id);
    if (remembered !== undefined) {
      return remembered;
    }
    await this.#turns.take(client.address);
    try {
      if (client.hasDisconnected()) {
        return undefined;
      }
      // An equal check may have finished meanwhile: a burst of them costs one comparison.
      return (
        this.#recall(user, id) ?? this.#remember(user, id, (await this.#compare(password, hash)) && isKnown)
      );
    } finally {
      this.#turns.release();
    }
  }

  #recall(user: string, id: string): boolean | undefined {
    if (this.#admitted.get(user) === id) {
      return true;
    }
    return this.#refused.has(id) ? false : undefined;
  }

  #remember(user: string, id: string, admitted: boolean): boolean {
    if (admitted) {
      this.#admitted.set(user, id);
      return true;
    }
    this.#refused.add(id);
    const [oldest] = this.#refused;
    if (this.#refused.size > MAX_REFUSED && oldest !== undefined) {
      this.#refused.delete(oldest);
    }
    return false;
  }

  #idOf(...parts: readonly string[]): string {
    // JSON, since plainly joined, ("a:b", "c") and ("a", "b:c") would be the same.
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64');
  }
}

/** A lock that waiting clients get in turns, so that a flood from one of them delays each other by one check. */
class Turns {
  /** The client whose turn is next comes first; none has an empty queue. */
  readonly #waiting = new Map<string, Array<() => void>>();
  /** The client that holds the lock. */
  #holder: string | undefined;

  /** Each call must be followed by `release`. */
  async take(client: string): Promise<void> {
    if (this.#holder === undefined) {
      this.#holder = client;
      return;
    }
    const queue = this.#waiting.get(client) ?? [];
    if (queue.length >= MAX_WAITING) {
      throw new TooManyChecksError('too many passwords of this client wait to be checked');
    }
    this.#waiting.set(client, queue);
    await new Promise<void>((resolve) => queue.push(resolve));
  }

  release(): void {
    this.#moveBehindAll(this.#holder);
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#holder = undefined;
      return;
    }
    const [client, queue] = first;
    const next = queue.shift();
    if (queue.length === 0) {
      this.#waiting.delete(client);
    }
    this.#holder = client;
    next?.();
  }

  /** Also behind clients that arrived while this one held the lock. */
  #moveBehindAll(client: string | undefined): void {
    const queue = client === undefined ? undefined : this.#waiting.get(client);
    if (client !== undefined && queue !== undefined) {
      this.#waiting.delete(client);
      this.#waiting.set(client, queue);
    }
  }
}

/**
 * A hash for an unknown user, as costly as that of a known one. If costs differ, the same name always gets the same
 * one, even after a restart: the key is derived from the file's own hashes, which are secret.
 */
function dummyHashFor(user: string, users: ReadonlyMap<string, string>): string {
  const hashes = [...users.values()];
  const number = createHmac('sha256', hashes.join()).update(user).digest().readUInt32BE();
  const model = hashes[number % hashes.length] ?? DUMMY_HASH;
  const cost = model.slice(4, 6);
  return `$2y$${cost}${DUMMY_HASH.slice(6)}`;
}
