/** Where to detect the memory of the machine; tests use another root, environment and times. */

export interface Machine {
  /** `/` */
  readonly root: string;
  /** For nvidia-smi: its PATH, and the variables to find the driver's libraries. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Timeout of nvidia-smi, so that a hanging driver does not delay the start for long. */
  readonly timeoutMs: number;
  /** Between two attempts, while something is unknown. */
  readonly retryMs: number;
}
