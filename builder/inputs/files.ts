import { constants, utimesSync } from "node:fs";
import { chmod, copyFile, lstat, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sha256Of } from "../digest.ts";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import type { RecipeFile } from "../recipe/file-schema.ts";
import type { LockedFile, LockedModule } from "../recipe/lock.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { INPUT_TIME } from "./module-tree.ts";
import { openZip } from "./zip.ts";

/** A file with a place of its own in the sandbox; `from` is a path of the host. */
export type PlacedFile = { readonly from: string; readonly to: string };

export type FilesPlace = {
  /** The source tree, for files with a relative place. */
  readonly sourceDir: string;
  /** Empty directory for those with an absolute one. */
  readonly filesDir: string;
  /** The compiler's root file system, where there is one. */
  readonly rootfsDir: string | undefined;
};

/**
 * Puts a lock's files where they belong and returns those that the sandbox has to show, each digested. Throws
 * `caller/PATH_TAKEN` where the source or the compiler has such a file.
 */
export async function placeFiles(
  files: readonly LockedFile[],
  recipeFiles: readonly RecipeFile[],
  modules: readonly LockedModule[],
  store: Store,
  place: FilesPlace,
): Promise<readonly PlacedFile[]> {
  const placed: PlacedFile[] = [];
  for (const [index, file] of files.entries()) {
    const absolute = file.to.startsWith("/");
    const path = absolute ? join(place.filesDir, String(index)) : join(place.sourceDir, file.to);
    if (absolute && place.rootfsDir !== undefined) await assertFree(place.rootfsDir, file.to);
    await mkdir(dirname(path), { recursive: true });
    await writeInto(path, file, modules, store).catch((error: unknown) => {
      throw systemCodeOf(error) === "EEXIST" ? pathTaken(file.to, error) : error;
    });
    await chmod(path, Number.parseInt(recipeFiles.find(({ to }) => to === file.to)?.mode ?? "0644", 8));
    utimesSync(path, INPUT_TIME, INPUT_TIME);
    if (absolute) placed.push({ from: path, to: file.to });
  }
  return placed;
}

async function writeInto(
  path: string,
  file: LockedFile,
  modules: readonly LockedModule[],
  store: Store,
): Promise<void> {
  if ("url" in file) return copyFile(await verifyBlob(store, file.sha256), path, constants.COPYFILE_EXCL);
  const zip = modules.find((module) => module.path === file.module && module.version === file.version)?.zip;
  if (zip === undefined) throw notInModule(file, "the lock has no such module");
  const bytes = await readModuleFile(await verifyBlob(store, zip.sha256), file);
  const sha256 = sha256Of(bytes);
  if (sha256 !== file.sha256)
    throw new TwinsealError("alarm", "DIGEST_MISMATCH", `${file.path} of ${file.module} has the sha256 ${sha256}`, {
      hint: `the lock says ${file.sha256}`,
    });
  await writeFile(path, bytes, { flag: "wx" });
}

export type ModuleFile = { readonly module: string; readonly version: string; readonly path: string };

/** The bytes of one file of a module's zip, which the caller has verified. Throws `caller/FILE_NOT_IN_MODULE`. */
export async function readModuleFile(zipPath: string, file: ModuleFile): Promise<Buffer> {
  await using zip = await openZip(zipPath);
  const name = `${file.module}@${file.version}/${file.path}`;
  const entry = zip.entries.find((one) => one.name === name);
  if (entry === undefined) throw notInModule(file, "its zip has no such file");
  return await zip.read(entry); // before the zip is closed
}

function notInModule({ module, version, path }: ModuleFile, why: string): TwinsealError {
  return new TwinsealError("caller", "FILE_NOT_IN_MODULE", `files: ${path} of ${module}@${version}: ${why}`, {
    hint: "look into the module for the file's path",
  });
}

async function assertFree(rootfsDir: string, to: string): Promise<void> {
  const taken = await lstat(join(rootfsDir, to)).then(
    () => true,
    () => false,
  );
  if (taken) throw pathTaken(to, undefined);
}

function pathTaken(path: string, cause: unknown): TwinsealError {
  return new TwinsealError("caller", "PATH_TAKEN", `files: there is a file ${path} already`, {
    cause,
    hint: "put the prefetched file at a path that is free",
  });
}
