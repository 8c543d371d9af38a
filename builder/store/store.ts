import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { join, resolve } from "node:path";
import { digestFile, sha256Schema, type Sha256 } from "../digest.ts";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import { keepPartial, newPartialPath } from "./partial.ts";

/**
 * Content-addressed files below `root`, an absolute path:
 * `sha256/<2 hex>/<hex>` blobs · `tmp/` what is being written · `trees/` extracted toolchains · `damaged/` what failed
 * its digest.
 */
export type Store = { readonly root: string };

const directories = ["sha256", "tmp", "trees", "damaged"] as const;

/** Makes the store where there is none. Throws `world/STORE_UNUSABLE`. */
export async function openStore(root: string): Promise<Store> {
  const store = { root: resolve(root) };
  try {
    for (const name of directories) await mkdir(join(store.root, name), { recursive: true });
  } catch (error) {
    throw new TwinsealError("world", "STORE_UNUSABLE", `opening the store: ${messageOf(error)}`, {
      hint: "set TWINSEAL_CACHE to a directory that you can write to",
      cause: error,
    });
  }
  return store;
}

export function blobPath(store: Store, sha256: Sha256): string {
  return join(store.root, "sha256", sha256.slice(0, 2), sha256);
}

/** Whether an entry is there; its bytes are checked when it is used. */
export async function hasBlob(store: Store, sha256: Sha256): Promise<boolean> {
  return (await blobSize(store, sha256)) !== undefined;
}

export async function blobSize(store: Store, sha256: Sha256): Promise<number | undefined> {
  try {
    const info = await stat(blobPath(store, sha256));
    return info.isFile() ? info.size : undefined;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export type ExpectedBlob = { readonly sha256: Sha256; readonly sizeBytes?: number | undefined };
export type StoredBlob = { readonly sha256: Sha256; readonly sizeBytes: number };

/**
 * Streams bytes into the store: own temporary name, digest on the way, fsync, rename. Nobody ever sees half an entry,
 * and of two processes the later one replaces equal bytes. When the source breaks, what came is kept to be resumed
 * (see partial.ts). Throws `alarm/DIGEST_MISMATCH`, `world/BLOB_TOO_LARGE`, `world/DISK_FULL`, and what the source throws.
 */
export async function putBlob(
  store: Store,
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedBlob | undefined,
  limits: { readonly maxBytes: number },
): Promise<StoredBlob> {
  const temporary = newPartialPath(store.root, expected?.sha256, randomUUID());
  const file = await open(temporary, "wx", 0o444);
  let stored: StoredBlob;
  try {
    stored = await write(file, source, expected, limits.maxBytes);
    await file.datasync();
    await file.close();
  } catch (error) {
    await file.close();
    const worthless = expected === undefined || (error instanceof TwinsealError && error.code !== "NETWORK");
    await (worthless ? rm(temporary, { force: true }) : keepPartial(store.root, expected.sha256, temporary));
    throw diskError(error) ?? error;
  }
  const path = blobPath(store, stored.sha256);
  await mkdir(join(path, ".."), { recursive: true });
  // The directory is not synced: a lost name is a missing entry, which is fetched again.
  await rename(temporary, path);
  return stored;
}

async function write(
  file: FileHandle,
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedBlob | undefined,
  maxBytes: number,
): Promise<StoredBlob> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (expected?.sizeBytes !== undefined && sizeBytes > expected.sizeBytes) {
      throw mismatch(expected.sha256, `there are more than the expected ${expected.sizeBytes} bytes`);
    }
    if (sizeBytes > maxBytes) throw new TwinsealError("world", "BLOB_TOO_LARGE", `more than ${maxBytes} bytes`);
    hash.update(chunk);
    for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten;
  }
  const sha256 = sha256Schema.parse(hash.digest("hex"));
  if (expected !== undefined && sha256 !== expected.sha256)
    throw mismatch(expected.sha256, `got ${sha256} (${sizeBytes} bytes)`);
  return { sha256, sizeBytes };
}

/**
 * Digests an entry again and returns its path. One that is damaged is moved to `damaged/`, so that the next fetch
 * brings it anew. Throws `alarm/STORE_DAMAGED`, `world/BLOB_MISSING`.
 */
export async function verifyBlob(store: Store, sha256: Sha256): Promise<string> {
  const path = blobPath(store, sha256);
  const size = await blobSize(store, sha256);
  if (size === undefined) {
    throw new TwinsealError("world", "BLOB_MISSING", `the store has no entry ${sha256}`, {
      hint: "run twinseal fetch",
    });
  }
  const actual = await digestFile(path);
  if (actual.sha256 === sha256) return path;
  throw storeDamaged(`entry ${sha256} has the digest ${actual.sha256}`, await setAside(store, path));
}

/** Moves an entry or a tree out of use; undefined when another process was faster. */
export async function setAside(store: Store, path: string): Promise<string | undefined> {
  const to = join(store.root, "damaged", `${path.slice(path.lastIndexOf("/") + 1)}.${randomUUID().slice(0, 8)}`);
  try {
    await rename(path, to);
    return to;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export function storeDamaged(what: string, movedTo: string | undefined): TwinsealError {
  return new TwinsealError("alarm", "STORE_DAMAGED", `the store is damaged: ${what}`, {
    hint: `${movedTo === undefined ? "it is moved aside" : `it lies in ${movedTo} now`}; the next run fetches it again. Find out who wrote to the store`,
  });
}

function mismatch(sha256: Sha256, what: string): TwinsealError {
  return new TwinsealError("alarm", "DIGEST_MISMATCH", `expected sha256 ${sha256}, ${what}`, {
    hint: "what was served is not what the lock pins; nothing of it was kept",
  });
}

function diskError(error: unknown): TwinsealError | undefined {
  const code = systemCodeOf(error);
  if (code !== "ENOSPC" && code !== "EDQUOT") return undefined;
  return new TwinsealError("world", "DISK_FULL", `writing to the store: ${messageOf(error)}`, {
    hint: "free some space, or run twinseal store gc",
    cause: error,
  });
}
