import { defineConfig } from "rolldown";

/**
 * Both doors in one graph; a command is a chunk of its own, loaded when it is asked for. A thread starts from a file, so its
 * module is an entry.
 */
export default defineConfig({
  input: { cli: "cli/main.ts", action: "actions/main.ts", "deb-worker": "builder/inputs/deb-worker.ts" },
  platform: "node",
  external: /^node:/,
  output: {
    dir: "dist",
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
    minify: true,
    comments: false,
    cleanDir: true,
  },
});
