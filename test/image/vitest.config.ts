import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    name: 'image',
    include: ['test/image/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
});
