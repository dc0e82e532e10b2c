/** Turns jobs of many clients into one job at a time, each client in its turn. */

/** A job that has nothing to do any more returns at once. It must not reject. */
export type Job = () => Promise<void>;

/** Of one client. It can send any number of requests over one connection, faster than they are dealt with. */
export const MAX_WAITING = 1_000;

export class Turns {
  /** The client whose turn is next comes first. */
  readonly #waiting = new Map<string, Job[]>();
  #busy = false;

  /** Whether another job of this client may wait. */
  hasRoomFor(client: string): boolean {
    return (this.#waiting.get(client)?.length ?? 0) < MAX_WAITING;
  }

  /** @param client who has the next turn only after everyone else who waits */
  add(client: string, job: Job): void {
    const jobs = this.#waiting.get(client);
    if (jobs === undefined) {
      this.#waiting.set(client, [job]);
    } else {
      jobs.push(job);
    }
    if (!this.#busy) {
      void this.#work();
    }
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      await job();
    }
    this.#busy = false;
  }

  #next(): Job | undefined {
    const [first] = this.#waiting;
    if (first === undefined) {
      return undefined;
    }
    const [client, jobs] = first;
    const job = jobs.shift();
    this.#waiting.delete(client);
    if (jobs.length > 0) {
      this.#waiting.set(client, jobs);
    }
    return job;
  }
}
