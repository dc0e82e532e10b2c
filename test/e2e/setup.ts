/** Once before the end-to-end tests: provides the programs that they run for real. */
import type { TestProject } from 'vitest/node';
import { findBinaries } from './debian-binaries.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Paths by name; undefined where they can't be had on this machine. */
    readonly prometheus: Readonly<Record<string, string>> | undefined;
  }
}

export default function setup({ provide }: TestProject): void {
  try {
    provide('prometheus', findBinaries({ name: 'prometheus', binaries: ['prometheus', 'promtool'] }));
  } catch (error) {
    if (process.env['CI'] === 'true') {
      throw error;
    }
    provide('prometheus', undefined);
    process.stderr.write(`skipping the tests with a real Prometheus: ${String(error).split('\n')[0]}\n`);
  }
}
