import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most tests wait for sockets or other processes, so more workers than cores are faster.
    maxWorkers: 3,
    projects: [
      {
        // GitHub's parser of workflows imports JSON as Node.js refuses to; Vite takes it, but would warn of each
        // of its source maps, whose sources aren't published.
        logLevel: 'error',
        test: {
          name: 'in-process',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{e2e,image}/**'],
          testTimeout: 30_000,
          server: { deps: { inline: [/\/@actions\//] } },
        },
      },
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
