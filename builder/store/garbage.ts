import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import { isProcessAlive } from "./owner.ts";
import { isBusy } from "./partial.ts";
import { listEntries } from "./store-check.ts";
import type { Store } from "./store.ts";

export type Garbage = { readonly paths: readonly string[]; readonly entries: number; readonly sizeBytes: number };

/**
 * What no lock needs: entries and extracted toolchains outside `keep`, downloads that nobody resumes, and what dead
 * processes left. Moved-aside entries stay: they are evidence. Throws `world/STORE_BUSY` while another process works.
 */
export async function findGarbage(store: Store, keep: ReadonlySet<string>): Promise<Garbage> {
  await assertIdle(store);
  const paths: string[] = [];
  let entries = 0;
  for (const { sha256, path } of await listEntries(store)) {
    if (keep.has(sha256)) continue;
    paths.push(path);
    entries++;
  }
  for (const name of await readdir(join(store.root, "trees")))
    if (!keep.has(name)) paths.push(join(store.root, "trees", name));
  for (const name of await readdir(join(store.root, "tmp"))) paths.push(join(store.root, "tmp", name));
  for (const name of await namesIn(join(store.root, "work"))) paths.push(join(store.root, "work", name));
  let sizeBytes = 0;
  for (const path of paths) sizeBytes += await sizeOf(path);
  return { paths, entries, sizeBytes };
}

export async function removeGarbage(garbage: Garbage): Promise<void> {
  for (const path of garbage.paths) await rm(path, { recursive: true, force: true });
}

async function assertIdle({ root }: Store): Promise<void> {
  const writers = (await readdir(join(root, "tmp"))).filter((name) => name.endsWith(".partial") && isBusy(name));
  const workers = (await namesIn(join(root, "work"))).filter((name) => isProcessAlive(Number(name.split("-")[0])));
  if (writers.length + workers.length === 0) return;
  throw new TwinsealError("world", "STORE_BUSY", "another twinseal is using the store", {
    hint: "wait for it to end: what it fetched would be removed under it",
  });
}

async function namesIn(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch(() => []);
}

async function sizeOf(path: string): Promise<number> {
  const stat = await lstat(path);
  if (!stat.isDirectory()) return stat.size;
  let sizeBytes = 0;
  for (const name of await readdir(path)) sizeBytes += await sizeOf(join(path, name));
  return sizeBytes;
}
