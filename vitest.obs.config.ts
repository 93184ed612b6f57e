// The tests with a real OBS: `npm run test:obs`. They are no part of `npm test`, for the size of OBS.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'obs',
    include: ['test/obs/**/*.test.ts'],
    setupFiles: ['test/support/no-leftovers.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 240_000,
    disableConsoleIntercept: true,
  },
});
