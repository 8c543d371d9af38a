import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { h1Schema, type H1 } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import { goModH1 } from "../inputs/h1.ts";
import { blobPath, putBlob } from "../store/store.ts";
import { fetchUnknown, type PinDeps } from "./pin-deps.ts";
import { loadPackages, removeCache } from "./load-packages.ts";
import { listDownloads, type Download } from "./downloads.ts";
import { assertZipH1 } from "./pin-toolchain.ts";
import type { Blob, LockedModule } from "./lock.ts";
import type { Recipe } from "./schema.ts";

const MAX_GO_MOD_BYTES = 1 << 24;
const MAX_MODULE_BYTES = 1024 ** 3;
const PARALLEL_PROOFS = 24;

/**
 * The modules that a build of the recipe needs: the pinned go command loads the packages for every target into an empty
 * module cache, and what it brought there is locked. Every one is proven in the checksum database by us.
 */
export async function lockModules(
  recipe: Recipe,
  place: { readonly goroot: string; readonly moduleDir: string; readonly workDir: string },
  deps: PinDeps,
): Promise<readonly LockedModule[]> {
  const packages = { ...place, cache: join(place.workDir, "modules") };
  for (const target of recipe.targets) await loadPackages(recipe, target, packages, deps);
  const files = await listDownloads(join(packages.cache, "cache/download"));
  const goSum = await readGoSum(place.moduleDir);
  const queue = files.values();
  const locked: LockedModule[] = [];
  const work = async () => {
    for (const file of queue) locked.push(await lockModule(file, goSum, deps));
  };
  const settled = await Promise.allSettled(Array.from({ length: PARALLEL_PROOFS }, work)); // nobody reads on when we throw
  const failed = settled.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  await removeCache(packages, deps);
  return locked.toSorted((a, b) => compareText(a.path, b.path) || compareText(a.version, b.version));
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** `<module> <version>[/go.mod]` -> h1, as the source's own go.sum has it. */
async function readGoSum(moduleDir: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(moduleDir, "go.sum"), "utf8").catch(() => "");
  return new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const [path, version, h1] = line.trim().split(/\s+/);
      return path === undefined || version === undefined || h1 === undefined ? [] : [[`${path} ${version}`, h1]];
    }),
  );
}

type Proof = { readonly h1: H1 | undefined; readonly goModH1: H1; readonly provenBy?: "go.sum" };

/**
 * The hashes of a module: from the checksum database, else from the source's go.sum, which the source's own proof
 * covers. A module that neither knows is refused.
 */
async function proveModule(
  path: string,
  version: string,
  goSum: ReadonlyMap<string, string>,
  deps: PinDeps,
): Promise<Proof> {
  try {
    return await deps.database.lookup(path, version);
  } catch (error) {
    if (!(error instanceof TwinsealError) || error.code !== "LOG_RECORD_ABSENT") throw error;
    const goMod = h1Schema.safeParse(goSum.get(`${path} ${version}/go.mod`));
    if (!goMod.success) throw error;
    const h1 = h1Schema.safeParse(goSum.get(`${path} ${version}`));
    deps.say(`${path} ${version} is not in the checksum database as served here; the source's go.sum proves it`);
    return { goModH1: goMod.data, h1: h1.success ? h1.data : undefined, provenBy: "go.sum" };
  }
}

async function lockModule(file: Download, goSum: ReadonlyMap<string, string>, deps: PinDeps): Promise<LockedModule> {
  const { path, version } = file;
  const proven = await proveModule(path, version, goSum, deps);
  const provenBy = proven.provenBy === undefined ? {} : { provenBy: proven.provenBy };
  // A zip can come without its go.mod: the go command looks into modules that its pruned graph does not load.
  const mod =
    file.mod === undefined
      ? await fetchUnknown(path, version, "mod", MAX_GO_MOD_BYTES, deps)
      : await put(file.mod, deps);
  const bytes = await readFile(blobPath(deps.store, mod.sha256));
  if (goModH1(bytes) !== proven.goModH1) {
    throw new TwinsealError(
      "alarm",
      "DIGEST_MISMATCH",
      `the go.mod of ${path} ${version} is not the one of the checksum database`,
    );
  }
  const goMod = { ...mod, h1: proven.goModH1 };
  if (file.zip === undefined) return { path, version, goMod, ...provenBy };
  if (proven.h1 === undefined)
    throw new TwinsealError(
      "alarm",
      "MODULE_UNPROVEN",
      `neither the checksum database nor go.sum knows ${path} ${version}`,
    );
  const zip = await put(file.zip, deps);
  await assertZipH1(blobPath(deps.store, zip.sha256), proven.h1, `${path} ${version}`);
  return { path, version, goMod, zip: { ...zip, h1: proven.h1 }, ...provenBy };
}

function put(path: string, deps: PinDeps): Promise<Blob> {
  return putBlob(deps.store, createReadStream(path), undefined, { maxBytes: MAX_MODULE_BYTES });
}
