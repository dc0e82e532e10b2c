/** Turns what files looked like once, and look like now, into whether they may have changed. */
import { statSync } from 'node:fs';

/** A file system's clock ticks every few milliseconds: a file this young may change once more without a trace. */
const TRACELESS_MS = 100;

export class Sighting {
  readonly #looks: ReadonlyMap<string, string>;

  /** To be made before the files are read: what changes while they are is then seen. */
  constructor(files: readonly string[]) {
    this.#looks = new Map(files.map((file) => [file, settledLook(file)]));
  }

  isUpToDate(): boolean {
    return [...this.#looks].every(([file, look]) => look === stat(file).look);
  }
}

/** @returns what no later look will be the same as, where the file is too young to tell */
function settledLook(file: string): string {
  const { look, changedMs } = stat(file);
  return Date.now() - changedMs < TRACELESS_MS ? `young ${look}` : look;
}

/** Links are followed: Kubernetes changes a mounted secret by changing a link. */
function stat(file: string): { readonly look: string; readonly changedMs: number } {
  try {
    const { mtimeNs, ctimeNs, size, ino, ctimeMs } = statSync(file, { bigint: true });
    return { look: [mtimeNs, ctimeNs, size, ino].join(), changedMs: Number(ctimeMs) };
  } catch {
    return { look: 'none', changedMs: 0 };
  }
}
