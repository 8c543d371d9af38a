import { lockedPackageSchema, type LockedPackage } from "../../builder/recipe/lock.ts";
import { putBlob, type Store } from "../../builder/store/store.ts";
import { makeDeb, type DebEntry } from "./deb-maker.ts";

/** Packages of the given entries, in the store, as a lock would name them. */
export async function storePackages(
  store: Store,
  packages: Readonly<Record<string, readonly DebEntry[] | Buffer>>,
): Promise<readonly LockedPackage[]> {
  const locked: LockedPackage[] = [];
  for (const [name, entries] of Object.entries(packages)) {
    const bytes = Buffer.isBuffer(entries) ? entries : makeDeb(entries, { packing: "gz" });
    async function* once() {
      yield await Promise.resolve(bytes);
    }
    const blob = await putBlob(store, once(), undefined, { maxBytes: 1 << 30 });
    const pool = `pool/main/${name}_1.0_amd64.deb`;
    locked.push(lockedPackageSchema.parse({ name, version: "1.0", architecture: "amd64", pool, ...blob }));
  }
  return locked;
}
