import { defineConfig } from "vitest/config";

/** `npm run test:real`: every lock of the tree, all targets, for real. Long, so it is not part of `npm run check`. */
export default defineConfig({
  test: {
    include: ["test/real/**/*.test.ts"],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    maxWorkers: 1,
    fileParallelism: false,
  },
});
