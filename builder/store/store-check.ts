import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { digestFile, sha256Schema, type Sha256 } from "../digest.ts";
import { setAside, type Store } from "./store.ts";

export type StoreEntry = { readonly sha256: Sha256; readonly path: string };
export type StoreCheck = {
  readonly entries: number;
  readonly sizeBytes: number;
  /** What failed its digest, and where it lies now. */
  readonly damaged: readonly { readonly entry: string; readonly movedTo: string | undefined }[];
};

/** Digests every entry; one that is not what its name says is moved aside. Extracted toolchains are checked at each use. */
export async function verifyStore(store: Store, onEntry: (done: number) => void): Promise<StoreCheck> {
  const damaged: { entry: string; movedTo: string | undefined }[] = [];
  let entries = 0;
  let sizeBytes = 0;
  for await (const { name, path } of walkEntries(store)) {
    const actual = await digestFile(path);
    entries++;
    sizeBytes += actual.sizeBytes;
    if (actual.sha256 !== name) damaged.push({ entry: name, movedTo: await setAside(store, path) });
    onEntry(entries);
  }
  return { entries, sizeBytes, damaged };
}

/** Entries with a proper name and place, sorted. */
export async function listEntries(store: Store): Promise<readonly StoreEntry[]> {
  const entries: StoreEntry[] = [];
  for await (const { name, path } of walkEntries(store)) {
    const parsed = sha256Schema.safeParse(name);
    if (parsed.success) entries.push({ sha256: parsed.data, path });
  }
  return entries;
}

async function* walkEntries({ root }: Store): AsyncGenerator<{ readonly name: string; readonly path: string }> {
  const all = join(root, "sha256");
  for (const prefix of (await readdir(all)).toSorted()) {
    for (const name of (await readdir(join(all, prefix))).toSorted()) yield { name, path: join(all, prefix, name) };
  }
}
