/** Monotonic counters and histograms, as a process would expose them. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Counts {
  readonly #samples = new Map<string, Sample>();

  add(name: string, labels: Sample['labels'], value: number): void {
    const key = JSON.stringify([name, labels]);
    const before = this.#samples.get(key)?.value ?? 0;
    this.#samples.set(key, { name, labels, value: before + value });
  }

  /** @param times number of observations of that value; a fraction is an observation that is not complete */
  observe(
    name: string,
    labels: Sample['labels'],
    bounds: readonly number[],
    value: number,
    times: number,
  ): void {
    for (const bound of [...bounds, Number.POSITIVE_INFINITY]) {
      const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
      this.add(`${name}_bucket`, { ...labels, le }, value <= bound ? times : 0);
    }
    this.add(`${name}_count`, labels, times);
  }

  samples(): readonly Sample[] {
    return [...this.#samples.values()];
  }
}
