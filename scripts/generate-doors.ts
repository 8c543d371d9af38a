import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createDeps } from "../cli/deps.ts";
import { loadDoors, renderCommandTable, renderFlagTable, renderInputs, replaceSection } from "./doors.ts";

/**
 * Writes README's tables and action.yml's inputs from the commands themselves; `--check` writes nothing and ends with 1
 * when a file is not as it would be written.
 */
const packageRoot = join(import.meta.dirname, "..");
const checkOnly = process.argv.includes("--check");
const silent = { write: () => {} };
const doors = await loadDoors(
  createDeps({
    env: {},
    cwd: packageRoot,
    packageRoot,
    toolVersion: "0",
    json: false,
    signal: new AbortController().signal,
    stdout: silent,
    stderr: silent,
    setExitCode: () => {},
  }),
);
const markdown = ["<!-- ", " -->"] as const;
const yaml = ["  # ", ""] as const;
const files: readonly { readonly path: string; readonly render: (text: string) => string }[] = [
  {
    path: "README.md",
    render: (text) =>
      replaceSection(
        replaceSection(text, "commands", renderCommandTable(), markdown),
        "flags",
        renderFlagTable(doors),
        markdown,
      ),
  },
  { path: "action.yml", render: (text) => replaceSection(text, "inputs", renderInputs(doors), yaml) },
];
for (const { path, render } of files) {
  const before = await readFile(join(packageRoot, path), "utf8");
  const after = render(before);
  if (before === after) continue;
  if (checkOnly) {
    console.error(`${path} is not as the commands say; run npm run generate`);
    process.exitCode = 1;
  } else {
    await writeFile(join(packageRoot, path), after);
    console.log(`wrote ${path}`);
  }
}
