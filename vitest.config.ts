import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most tests wait for sockets or other processes, so more workers than cores are faster.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: 'in-process',
          // Otherwise loading Fastify, undici and YAML for each file takes half of the time.
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ['test/{e2e,image,genuine}/**'],
          testTimeout: 30_000,
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
