import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "../../builder/store/store.ts";

/** An empty directory with an empty store in it; gone with its scope. */
export type Place = AsyncDisposable & { readonly dir: string; readonly store: Store };

export async function openPlace(): Promise<Place> {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-place-"));
  return {
    dir,
    store: await openStore(join(dir, "store")),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
