import { lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import type { LockedPackage } from "../recipe/lock.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { unsafe } from "./archive-safety.ts";
import { extractDeb } from "./deb-package.ts";
import { openDebThread } from "./deb-thread.ts";
import { layOver, type Owners } from "./lay-over.ts";
import { alternatives, mergedDirectories } from "./rootfs-rules.ts";

/** Unpacked, all packages together. */
const MAX_TOTAL_BYTES = 8 * 1024 ** 3;

/**
 * Lays the packages over each other in their order into an empty directory, then makes the links that Debian's maintainer
 * scripts would have made. Each package is extracted by itself first: one package's links cannot lead another's files
 * anywhere. Throws `alarm/ARCHIVE_UNSAFE`, `alarm/PACKAGES_CLASH`, `alarm/STORE_DAMAGED`, `world/BLOB_MISSING`.
 */
export async function makeDebianRootfs(store: Store, packages: readonly LockedPackage[], dir: string): Promise<void> {
  const parts = `${dir}.parts`;
  const partOf = ({ sha256 }: LockedPackage) => join(parts, sha256);
  try {
    await extractAll(store, packages, partOf);
    const owners: Owners = new Map();
    for (const one of packages) layOver(partOf(one), dir, one.name, owners);
  } finally {
    rmSync(parts, { recursive: true, force: true });
  }
  makeLinks(dir);
}

async function extractAll(
  store: Store,
  packages: readonly LockedPackage[],
  partOf: (one: LockedPackage) => string,
): Promise<void> {
  // The largest first, so that none is left over at the end; both threads take from the one iterator.
  const queue = packages.toSorted((a, b) => b.sizeBytes - a.sizeBytes).values();
  let totalBytes = 0;
  let fault: { readonly error: unknown } | undefined;
  const work = async (extract: (path: string, dir: string) => Promise<number>) => {
    for (const one of queue) {
      if (fault !== undefined) return;
      try {
        mkdirSync(partOf(one), { recursive: true });
        const path = await verifyBlob(store, one.sha256);
        totalBytes += await about(one.name, () => extract(path, partOf(one)));
        if (totalBytes > MAX_TOTAL_BYTES)
          throw unsafe(one.name, `makes the compiler larger than ${MAX_TOTAL_BYTES} bytes`);
      } catch (error) {
        fault ??= { error };
      }
    }
  };
  // Unpacking is computation: two processors do it in half the time, and a third thread would take 40 MB more memory.
  if (packages.length === 1 || availableParallelism() === 1) await work(extractDeb);
  else {
    await using thread = openDebThread();
    await Promise.all([work(extractDeb), work(thread.extract)]);
  }
  if (fault !== undefined) throw fault.error;
}

/** Says of an unsafe archive whose it is. */
async function about<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TwinsealError) || error.code !== "ARCHIVE_UNSAFE") throw error;
    throw new TwinsealError("alarm", error.code, `package ${name}: ${error.message}`, {
      hint: "nothing of it is used; look at where the lock came from",
      cause: error,
    });
  }
}

function makeLinks(dir: string): void {
  for (const name of mergedDirectories) if (exists(join(dir, "usr", name))) symlinkSync(`usr/${name}`, join(dir, name));
  for (const { name, targets } of alternatives) {
    const target = targets.find((one) => exists(join(dir, "usr/bin", one)));
    if (target !== undefined && !exists(join(dir, "usr/bin", name))) symlinkSync(target, join(dir, "usr/bin", name));
  }
}

/** Whether there is something of this name; where a link leads is not asked. */
function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
