/** Where to detect the memory of the machine; tests use another root, environment and times. */

export interface Machine {
  /** `/` */
  readonly root: string;
  /** For nvidia-smi: its PATH, and the variables with which it finds the driver's libraries. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Timeout of nvidia-smi: a driver that hangs must not delay the start for long. */
  readonly timeoutMs: number;
  /** Between two tries, while something is not known. */
  readonly retryMs: number;
}
