import { mkdirSync, writeFileSync } from "node:fs";
import { cp, chmod, copyFile, lstat, mkdir, readdir, readlink } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { TwinsealError } from "../errors.ts";
import type { Lock, LockedSource } from "../recipe/lock.ts";
import type { Recipe } from "../recipe/schema.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { unsafe } from "./archive-safety.ts";
import { extractTar } from "./tar.ts";
import { openZip } from "./zip.ts";

/** Makes the locked source tree in an empty directory: from a module's zip, a git tree's archive, or a local directory. */
export async function materializeSource(
  source: LockedSource,
  deps: { readonly store: Store; readonly recipeDir: string },
  dir: string,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  switch (source.kind) {
    case "module":
      return extractModule(await verifyBlob(deps.store, source.zip.sha256), `${source.path}@${source.version}/`, dir);
    case "git":
      return extractTar(await verifyBlob(deps.store, source.archive.sha256), dir);
    case "path":
      return copyLocal(join(deps.recipeDir, source.path), dir);
  }
}

async function extractModule(zipPath: string, prefix: string, dir: string): Promise<void> {
  await using zip = await openZip(zipPath);
  const made = new Set<string>();
  for (const entry of zip.entries) {
    if (!entry.name.startsWith(prefix)) throw unsafe(entry.name, `does not start with ${prefix}`);
    const path = join(dir, entry.name.slice(prefix.length));
    const directory = dirname(path);
    if (!made.has(directory)) mkdirSync(directory, { recursive: true });
    made.add(directory);
    // Thousands of small files: waiting for each costs more than writing it.
    writeFileSync(path, await zip.read(entry), { flag: "wx", mode: 0o644 });
  }
}

const leftOut = new Set([".git", "twinseal-out", "node_modules"]);

async function copyLocal(from: string, to: string): Promise<void> {
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !leftOut.has(path.slice(path.lastIndexOf("/") + 1)),
  });
  await assertContained(to, to);
}

/** Refuses links out of the tree and whatever is no file: the sandbox would copy them as they are. */
async function assertContained(root: string, dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const stat = await lstat(path);
    if (stat.isDirectory()) await assertContained(root, path);
    else if (stat.isSymbolicLink()) {
      const target = posix.normalize(posix.join(posix.dirname(path), await readlink(path)));
      if ((await readlink(path)).startsWith("/") || !`${target}/`.startsWith(`${root}/`)) {
        throw new TwinsealError(
          "caller",
          "SOURCE_UNSAFE",
          `the link ${path.slice(root.length + 1)} points out of the source`,
          { hint: "copy the file it points to into the tree" },
        );
      }
    } else if (!stat.isFile()) {
      throw new TwinsealError(
        "caller",
        "SOURCE_UNSAFE",
        `${path.slice(root.length + 1)} is neither a file, a directory nor a link`,
      );
    }
  }
}

/** Puts the recipe's prefetched files into the tree; a path that is taken is the caller's mistake. */
export async function placeFiles(
  files: Lock["files"],
  recipeFiles: NonNullable<Recipe["files"]>,
  store: Store,
  dir: string,
): Promise<void> {
  for (const file of files) {
    const path = join(dir, file.to);
    await mkdir(dirname(path), { recursive: true });
    await copyFile(await verifyBlob(store, file.sha256), path);
    const mode = recipeFiles.find(({ to }) => to === file.to)?.mode ?? "0644";
    await chmod(path, Number.parseInt(mode, 8));
  }
}
