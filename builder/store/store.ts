import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestFile, sha256Schema, type Sha256 } from "../digest.ts";
import { TwinsealError, systemCodeOf } from "../errors.ts";

/**
 * Content-addressed files: `sha256/<2 hex>/<hex>`. A file is written under a temporary name, verified while it streams,
 * synced and renamed, so that what has a name is whole, whoever else writes and whenever we are killed.
 */
export type Store = { readonly root: string };

export async function openStore(root: string): Promise<Store> {
  try {
    for (const name of ["sha256", "tmp", "trees", "damaged", "log", "inside", "work"]) await mkdir(join(root, name), { recursive: true });
  } catch (error) {
    throw new TwinsealError("world", "STORE_NOT_WRITABLE", `opening the store ${root}: ${systemCodeOf(error) ?? String(error)}`, {
      cause: error,
      hint: "set TWINSEAL_CACHE to a directory that you may write",
    });
  }
  return { root };
}

export function blobPath(store: Store, sha256: Sha256): string {
  return join(store.root, "sha256", sha256.slice(0, 2), sha256);
}

export async function hasBlob(store: Store, sha256: Sha256): Promise<boolean> {
  try {
    await access(blobPath(store, sha256));
    return true;
  } catch {
    return false;
  }
}

export type PutLimits = { readonly maxBytes: number };
export type ExpectedBlob = { readonly sha256: Sha256; readonly sizeBytes?: number };

/**
 * Streams bytes into the store. With an expectation, other bytes are `alarm/DIGEST_MISMATCH` and nothing is kept; more
 * than `maxBytes` is `alarm/TOO_LARGE`.
 */
export async function putBlob(
  store: Store,
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedBlob | undefined,
  limits: PutLimits,
): Promise<{ sha256: Sha256; sizeBytes: number }> {
  const temporary = join(store.root, "tmp", `${process.pid}-${randomUUID()}`);
  try {
    const written = await writeDigested(temporary, source, limits);
    if (expected !== undefined) assertExpected(written, expected);
    await adoptFile(store, temporary, written.sha256);
    return written;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function writeDigested(path: string, source: AsyncIterable<Uint8Array>, limits: PutLimits) {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const file = await open(path, "wx", 0o644);
  try {
    for await (const chunk of source) {
      sizeBytes += chunk.length;
      if (sizeBytes > limits.maxBytes) throw new TwinsealError("alarm", "TOO_LARGE", `more than the expected ${limits.maxBytes} bytes came`);
      hash.update(chunk);
      await file.write(chunk);
    }
    await file.sync();
  } catch (error) {
    throw diskFault(error);
  } finally {
    await file.close();
  }
  return { sha256: sha256Schema.parse(hash.digest("hex")), sizeBytes };
}

/** Throws `alarm/DIGEST_MISMATCH` unless digest, and size where known, are the expected ones. */
export function assertExpected(got: { readonly sha256: Sha256; readonly sizeBytes: number }, expected: ExpectedBlob): void {
  if (got.sha256 === expected.sha256 && (expected.sizeBytes === undefined || got.sizeBytes === expected.sizeBytes)) return;
  throw new TwinsealError("alarm", "DIGEST_MISMATCH", `expected sha256 ${expected.sha256} and got ${got.sha256} (${got.sizeBytes} bytes)`, {
    hint: "the bytes are not the locked ones: do not build from them; find out who changed them",
  });
}

/** Gives a whole, verified file its name in the store. */
export async function adoptFile(store: Store, temporary: string, sha256: Sha256): Promise<void> {
  const path = blobPath(store, sha256);
  await mkdir(dirname(path), { recursive: true });
  await rename(temporary, path);
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Path of a blob whose bytes were digested just now. A damaged one is moved aside and is `alarm/STORE_DAMAGED`; the
 * next run fetches it again.
 */
export async function verifyBlob(store: Store, sha256: Sha256): Promise<string> {
  const path = blobPath(store, sha256);
  let found: Sha256;
  try {
    ({ sha256: found } = await digestFile(path));
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw error;
    throw new TwinsealError("world", "STORE_LACKS", `the store has no ${sha256}`, { cause: error, hint: "run twinseal fetch" });
  }
  if (found === sha256) return path;
  await rename(path, join(store.root, "damaged", `${sha256}-${randomUUID()}`));
  throw new TwinsealError("alarm", "STORE_DAMAGED", `the store's entry ${sha256} is damaged: its bytes have sha256 ${found}`, {
    hint: "it was moved aside and is fetched again on the next run; find out who changed it",
  });
}

/** Names a full disk as the world's fault. */
export function diskFault(error: unknown): unknown {
  const code = systemCodeOf(error);
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new TwinsealError("world", "DISK_FULL", "no space left on the disk of the store", { cause: error, hint: "twinseal store gc removes what no lock needs" });
}
