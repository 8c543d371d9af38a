import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { systemCodeOf } from "../errors.ts";

/** A module that a go command brought into a module cache: paths of its go.mod and of its zip, each if it is there. */
export type Download = {
  readonly path: string;
  readonly version: string;
  readonly mod: string | undefined;
  readonly zip: string | undefined;
};

/** What lies in a module cache's `cache/download`, by module and version; nothing where there is no such directory. */
export async function listDownloads(root: string): Promise<readonly Download[]> {
  const found: Download[] = [];
  const visit = async (dir: string, below: readonly string[]): Promise<void> => {
    const entries = await readdir(dir, { withFileTypes: true });
    if (below.at(-1) === "@v") {
      found.push(...downloadsIn(dir, below.slice(0, -1).join("/"), new Set(entries.map(({ name }) => name))));
      return;
    }
    for (const entry of entries) if (entry.isDirectory()) await visit(join(dir, entry.name), [...below, entry.name]);
  };
  await visit(root, []).catch((error: unknown) => {
    if (systemCodeOf(error) !== "ENOENT") throw error;
  });
  return found;
}

function downloadsIn(dir: string, escapedPath: string, files: ReadonlySet<string>): readonly Download[] {
  const versions = new Set([...files].flatMap((name) => /^(.+)\.(?:mod|zip)$/.exec(name)?.[1] ?? []));
  const at = (name: string) => (files.has(name) ? join(dir, name) : undefined);
  return [...versions].toSorted().map((version) => ({
    path: unescape(escapedPath),
    version: unescape(version),
    mod: at(`${version}.mod`),
    zip: at(`${version}.zip`),
  }));
}

function unescape(text: string): string {
  return text.replace(/!([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
