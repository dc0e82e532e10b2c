/** Turns a name and a password into whether a user of the web configuration has sent them. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Credentials } from './credentials.ts';
import { costOf } from './password-hash.ts';
import { Turns } from './turns.ts';

/** @returns whether the bcrypt hash is that of the password; slow on purpose */
export type Compare = (password: string, hash: string) => Promise<boolean>;

export interface Client {
  /** Clients with the same name share their turns. */
  readonly name: string;
  /** Whether it has hung up, so that nobody waits for the answer. */
  readonly isGone: () => boolean;
}

/** A comparison that is to be done or under way, and how many wait for it. */
interface Check {
  readonly result: Promise<boolean>;
  readonly settle: (result: Promise<boolean>) => void;
  begun: boolean;
  waiting: number;
}

/** So many results of wrong passwords are remembered: enough for scrapers with a typo, too few to fill the memory. */
const REMEMBERED_REFUSALS = 100;

/** Of exporter-toolkit, so that the name of a user is no quicker to refuse for not being one. */
const DUMMY_HASH = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';

export class TooManyChecksError extends Error {
  override readonly name = 'TooManyChecksError';
}

export class Users {
  readonly #compare: Compare;
  readonly #turns = new Turns();
  /** Results are remembered under a keyed hash, so that no password is. */
  readonly #key = randomBytes(32);
  /** One for each user, out of reach of those who don't know a password. */
  readonly #admitted = new Map<string, string>();
  /** The oldest first. */
  readonly #refused = new Set<string>();
  readonly #checks = new Map<string, Check>();

  constructor(compare: Compare) {
    this.#compare = compare;
  }

  /**
   * @param users from name to bcrypt hash
   * @returns a promise that never settles where the client hung up before its turn
   * @throws TooManyChecksError if too many passwords of this client wait already; and what compare throws
   */
  async admits(
    { user, password }: Credentials,
    users: ReadonlyMap<string, string>,
    client: Client,
  ): Promise<boolean> {
    const standIn = standInFor(user, users);
    const hash = users.get(user) ?? standIn;
    const isKnown = users.has(user);
    const id = this.#idOf(user, hash, password, String(isKnown));
    if (this.#admitted.get(user) === id) {
      return true;
    }
    if (this.#refused.has(id)) {
      return false;
    }
    if (!this.#turns.hasRoomFor(client.name)) {
      throw new TooManyChecksError('too many passwords of this client wait to be checked');
    }
    return this.#waitFor(id, client, async () => {
      const admitted = (await this.#compare(password, hash)) && isKnown;
      this.#remember(user, id, admitted);
      return admitted;
    });
  }

  /** Equal checks are one, which happens at the first turn of any client that waits for it. */
  #waitFor(id: string, { name, isGone }: Client, run: () => Promise<boolean>): Promise<boolean> {
    const check = this.#checks.get(id) ?? newCheck();
    this.#checks.set(id, check);
    check.waiting += 1;
    this.#turns.add(name, async () => {
      check.waiting -= 1;
      const wanted = !isGone() && !check.begun;
      check.begun ||= wanted;
      if (wanted) {
        const result = run();
        check.settle(result);
        await result.catch(() => {});
      }
      if (wanted || (check.waiting === 0 && !check.begun)) {
        this.#checks.delete(id);
      }
    });
    return check.result;
  }

  #remember(user: string, id: string, admitted: boolean): void {
    if (admitted) {
      this.#admitted.set(user, id);
      return;
    }
    this.#refused.add(id);
    const [oldest] = this.#refused;
    if (this.#refused.size > REMEMBERED_REFUSALS && oldest !== undefined) {
      this.#refused.delete(oldest);
    }
  }

  #idOf(...parts: readonly string[]): string {
    // JSON, since plainly joined, ("a:b", "c") and ("a", "b:c") would be the same.
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64');
  }
}

function newCheck(): Check {
  let settle: Check['settle'] = () => {};
  const result = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  return { result, settle, begun: false, waiting: 0 };
}

/**
 * A hash for an unknown user, as costly as that of a known one. Where these differ, always the same one for the
 * same name, even after a restart: the file's own hashes are the key, which nobody outside knows.
 */
function standInFor(user: string, users: ReadonlyMap<string, string>): string {
  const hashes = [...users.values()];
  const number = createHmac('sha256', hashes.join()).update(user).digest().readUInt32BE();
  const model = hashes[number % hashes.length] ?? DUMMY_HASH;
  return `$2y$${costOf(model)}${DUMMY_HASH.slice(6)}`;
}
