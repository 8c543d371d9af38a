import { defineConfig } from "rolldown";

/** Both doors in one graph; a command is a chunk of its own, loaded when it is asked for. */
export default defineConfig({
  input: { cli: "cli/main.ts", action: "actions/main.ts" },
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
