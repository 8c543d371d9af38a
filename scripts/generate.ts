import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { generatedFiles } from "./generated-files.ts";

/**
 * Writes manifests/schema/*.schema.json and the tables of docs/recipe.md from the zod schemas. `--check` writes nothing
 * and ends with 1 when a file is stale. `--root DIR` works on another tree, for tests.
 */
const { values } = parseArgs({ options: { check: { type: "boolean" }, root: { type: "string" } } });
const root = resolve(values.root ?? join(import.meta.dirname, ".."));

for (const { path, render } of generatedFiles) {
  const file = join(root, path);
  const before = await readIfThere(file);
  const after = render(before);
  if (before === after) continue;
  if (values.check === true) {
    process.stderr.write(`${path} is not as the schemas say; run npm run generate\n`);
    process.exitCode = 1;
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, after);
    process.stdout.write(`wrote ${path}\n`);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
}
