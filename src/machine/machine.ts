/** Where to look for what the machine has: this one, but for tests. */

export interface Machine {
  /** `/` */
  readonly root: string;
  /** For nvidia-smi: its PATH, and what it needs to find the driver's libraries. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For nvidia-smi to answer: a driver that hangs must not keep the exporter from starting for long. */
  readonly patienceMs: number;
  /** Between two tries, while something is not known. */
  readonly retryMs: number;
}
