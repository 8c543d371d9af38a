import { createHash, randomUUID } from "node:crypto";
import { lstatSync, lutimesSync, readdirSync, readlinkSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { sha256Schema, type Sha256 } from "../digest.ts";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import type { LockedRootfs } from "../recipe/lock.ts";
import type { Store } from "../store/store.ts";
import { INPUT_TIME, hashFile } from "./module-tree.ts";

/** Writes a root file system into an empty directory. */
export type MakeRootfs = (dir: string) => Promise<void>;

/**
 * Digest of a directory of files (0644 or 0755), directories (0755) and symbolic links (to wherever they point when the
 * directory is /). SHA-256 over one line for each, the lines sorted by code unit: `d <path>`, `l <path> <target>`,
 * `f <path> <sha256>` or `x <path> <sha256>` for one that can be run; paths and targets as JSON strings. Times and owners
 * do not count; the times are set to that of all shared inputs on the way. Throws `alarm/ROOTFS_INVALID` for what is none
 * of these.
 */
export function digestRootfs(dir: string): LockedRootfs {
  const lines: string[] = [];
  let files = 0;
  let sizeBytes = 0;
  const visit = (below: string) => {
    for (const name of readdirSync(join(dir, below))) {
      const path = below === "" ? name : `${below}/${name}`;
      const here = join(dir, path);
      const stat = lstatSync(here);
      const mode = stat.mode & 0o7777;
      const ours = stat.isSymbolicLink() || stat.isDirectory() || stat.isFile(); // a device may be the host's
      if (ours && stat.mtimeMs !== INPUT_TIME * 1000) lutimesSync(here, INPUT_TIME, INPUT_TIME);
      if (stat.isSymbolicLink()) lines.push(`l ${JSON.stringify(path)} ${JSON.stringify(readlinkSync(here))}`);
      else if (stat.isDirectory() && mode === 0o755) {
        lines.push(`d ${JSON.stringify(path)}`);
        visit(path);
      } else if (stat.isFile() && (mode === 0o644 || mode === 0o755)) {
        files++;
        sizeBytes += stat.size;
        lines.push(`${mode === 0o755 ? "x" : "f"} ${JSON.stringify(path)} ${hashFile(here)}`);
      } else throw new TwinsealError("alarm", "ROOTFS_INVALID", `${path} is not as it was extracted`);
    }
  };
  visit("");
  lutimesSync(dir, INPUT_TIME, INPUT_TIME);
  const sha256 = sha256Schema.parse(createHash("sha256").update(lines.toSorted().join("\n")).digest("hex"));
  return { sha256, files, sizeBytes };
}

/**
 * Directory of a compiler's root file system, made in the store once and digested again, every file of it, at each call.
 * Only to be read. Throws `alarm/STORE_DAMAGED`, and `alarm/DIGEST_MISMATCH` when what is made is not what is locked.
 */
export async function rootfsTree(store: Store, locked: LockedRootfs, make: MakeRootfs): Promise<string> {
  const tree = join(store.root, "trees", locked.sha256);
  const found = digestOf(tree);
  if (found === locked.sha256) return tree;
  if (found !== undefined) {
    await rename(tree, join(store.root, "damaged", `tree-${locked.sha256}-${randomUUID()}`));
    throw new TwinsealError("alarm", "STORE_DAMAGED", `the store's root file system ${locked.sha256} is damaged`, {
      hint: "it was moved aside and is extracted again on the next run; find out who changed it",
    });
  }
  const made = await makeRootfs(store, make);
  try {
    if (made.rootfs.sha256 !== locked.sha256) {
      throw new TwinsealError(
        "alarm",
        "DIGEST_MISMATCH",
        `the compiler's root file system has the digest ${made.rootfs.sha256}, and the lock says ${locked.sha256}`,
        { hint: "was the lock made by another version of twinseal? run twinseal pin --diff" },
      );
    }
    await made.keep();
  } finally {
    await made[Symbol.asyncDispose]();
  }
  return tree;
}

export type MadeRootfs = AsyncDisposable & {
  readonly rootfs: LockedRootfs;
  /** Puts it into the store under its digest. */
  readonly keep: () => Promise<string>;
};

/** A root file system as it comes out, for whoever locks it; gone with its scope unless kept. */
export async function makeRootfs(store: Store, make: MakeRootfs): Promise<MadeRootfs> {
  const dir = join(store.root, "tmp", `${process.pid}-${randomUUID()}`);
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    await mkdir(dir);
    await make(dir);
    const rootfs = digestRootfs(dir);
    const tree = join(store.root, "trees", rootfs.sha256);
    const keep = async () => {
      try {
        await rename(dir, tree);
      } catch (error) {
        // Another process may have been faster: its tree is as good once it verifies.
        const code = systemCodeOf(error);
        if ((code !== "ENOTEMPTY" && code !== "EEXIST") || digestOf(tree) !== rootfs.sha256) throw error;
      }
      return tree;
    };
    return { rootfs, keep, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw diskFull(error) ?? error;
  }
}

/** Undefined without such a directory, `invalid` when it holds what no root file system does. */
function digestOf(tree: string): Sha256 | "invalid" | undefined {
  try {
    return digestRootfs(tree).sha256;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    if (error instanceof TwinsealError) return "invalid";
    throw error;
  }
}

function diskFull(error: unknown): TwinsealError | undefined {
  const code = systemCodeOf(error);
  if (code !== "ENOSPC" && code !== "EDQUOT") return undefined;
  return new TwinsealError("world", "DISK_FULL", "extracting the compiler: no space left in the store", {
    hint: "free some space, or run twinseal store gc",
    cause: error,
  });
}
