import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    // Most of them wait for other processes: more at a time than there are cores is quicker.
    maxWorkers: 3,
    projects: [
      {
        // GitHub's parser of workflows imports JSON as Node.js refuses to; Vite takes it, but would warn of each
        // of its source maps, whose sources aren't published.
        logLevel: 'error',
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          server: { deps: { inline: [/\/@actions\//] } },
        },
      },
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/e2e/setup.ts'],
          testTimeout: 150_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
