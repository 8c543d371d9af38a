import { sha256Of } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import { readModuleFile } from "../inputs/files.ts";
import { blobPath, putBlob } from "../store/store.ts";
import type { RecipeFile } from "./file-schema.ts";
import type { LockedFile, LockedModule } from "./lock.ts";
import type { PinDeps } from "./pin-deps.ts";

const MAX_FILE_BYTES = 1024 ** 3;

/** Locks the recipe's files: fetched by their digest, or found in a module that is locked. */
export async function lockFiles(
  files: readonly RecipeFile[],
  modules: readonly LockedModule[],
  deps: PinDeps,
): Promise<LockedFile[]> {
  const locked: LockedFile[] = [];
  for (const file of files) {
    locked.push("url" in file ? await lockPublished(file, deps) : await lockModuleFile(file, modules, deps));
  }
  return locked;
}

type Published = Extract<RecipeFile, { url: string }>;
type InModule = Extract<RecipeFile, { module: string }>;

async function lockPublished({ url, sha256, to }: Published, deps: PinDeps): Promise<LockedFile> {
  const response = await deps.http({ url, maxBytes: MAX_FILE_BYTES, timeoutMs: 600_000, signal: deps.signal });
  if (response.status !== 200)
    throw new TwinsealError("world", "NETWORK", `fetching ${url}: the server answered ${response.status}`);
  return { url, to, ...(await putBlob(deps.store, response.body, { sha256 }, { maxBytes: MAX_FILE_BYTES })) };
}

async function lockModuleFile(
  { module, path, sha256, to }: InModule,
  modules: readonly LockedModule[],
  deps: PinDeps,
): Promise<LockedFile> {
  const [found, other] = modules.filter((one) => one.path === module && one.zip !== undefined);
  if (found?.zip === undefined || other !== undefined) {
    const why = found === undefined ? "the build does not use it" : "the build has two versions of it";
    throw new TwinsealError("caller", "FILE_NOT_IN_MODULE", `files: ${path} of ${module}: ${why}`);
  }
  const { version } = found;
  const bytes = await readModuleFile(blobPath(deps.store, found.zip.sha256), { module, version, path });
  const actual = sha256Of(bytes);
  if (sha256 !== undefined && actual !== sha256) {
    throw new TwinsealError(
      "caller",
      "FILE_DIFFERS",
      `files: ${path} of ${module}@${version} has the sha256 ${actual}, and the recipe says ${sha256}`,
      { hint: "is the recipe written for another version of the module?" },
    );
  }
  return { module, version, path, to, sha256: actual, sizeBytes: bytes.length };
}
