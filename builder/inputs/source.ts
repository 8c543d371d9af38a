import { cp, lstat, mkdir, readdir, readlink, realpath } from "node:fs/promises";
import { join, posix } from "node:path";
import { TwinsealError } from "../errors.ts";
import type { LockedSource } from "../recipe/lock.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { moduleTree } from "./module-tree.ts";
import { extractTar } from "./tar.ts";

export type SourceDeps = { readonly store: Store; readonly recipeDir: string };

/**
 * Directory of the locked source, only to be read: a module's tree in the store, a git tree's archive or a local
 * directory laid out in `dir`.
 */
export async function openSource(source: LockedSource, deps: SourceDeps, dir: string): Promise<string> {
  switch (source.kind) {
    case "module":
      return moduleTree(deps.store, source);
    case "git":
      await mkdir(dir, { recursive: true });
      await extractTar(await verifyBlob(deps.store, source.archive.sha256), dir);
      return dir;
    case "path":
      await copyLocal(join(deps.recipeDir, source.path), deps.store, dir);
      return dir;
  }
}

/** The locked source in `dir`, to be changed at will. */
export async function copySource(source: LockedSource, deps: SourceDeps, dir: string): Promise<void> {
  const from = await openSource(source, deps, dir);
  if (from !== dir) await cp(from, dir, { recursive: true, verbatimSymlinks: true });
}

const leftOut = new Set([".git", "twinseal-out", "node_modules"]);

async function copyLocal(from: string, store: Store, to: string): Promise<void> {
  await copyWithout(await realpath(store.root), await realpath(from), to);
  await assertContained(to, to);
}

/** A store below the source (`TWINSEAL_CACHE=$PWD/.cache`) is none of it. */
async function copyWithout(storeRoot: string, from: string, to: string): Promise<void> {
  if (from === storeRoot) return;
  if (!`${storeRoot}/`.startsWith(`${from}/`)) {
    const filter = (path: string) => !leftOut.has(path.slice(path.lastIndexOf("/") + 1));
    return cp(from, to, { recursive: true, verbatimSymlinks: true, filter });
  }
  await mkdir(to);
  for (const name of await readdir(from)) await copyWithout(storeRoot, join(from, name), join(to, name));
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
