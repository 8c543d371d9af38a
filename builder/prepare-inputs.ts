import { join } from "node:path";
import type { Subject } from "./build-target.ts";
import { TwinsealError } from "./errors.ts";
import type { HostInputs } from "./execute.ts";
import type { HostFacts } from "./host.ts";
import { assertUnchanged, layOut, type LaidOut } from "./inputs/laid-out.ts";
import { offerModules, recheckModules } from "./inputs/go-modules.ts";
import { toolchainTree } from "./inputs/go-toolchain.ts";
import { moduleTree, type Watch } from "./inputs/module-tree.ts";
import { placeFiles } from "./inputs/files.ts";
import { copySource, openSource } from "./inputs/source.ts";
import type { Lock, LockedCompiler, LockedToolchain } from "./recipe/lock.ts";
import type { Store } from "./store/store.ts";

export type PreparedInputs = HostInputs & {
  /** What was laid out below the working directory, and is in no store. */
  readonly laidOut: readonly LaidOut[];
};

/** Lays out below `workDir`, or in the store, what both sandboxes read, every byte digested again. */
export async function prepareInputs(
  subject: Subject,
  toolchain: LockedToolchain,
  store: Store,
  workDir: string,
  watch: Watch = {},
): Promise<PreparedInputs> {
  const { lock, recipe } = subject;
  const modulesDir = join(workDir, "modules");
  const toolchainDir = await toolchainTree(store, toolchain, watch);
  await offerModules(store, lock.modules, modulesDir);
  const sourceDir = await prepareSource(subject, store, join(workDir, "source"));
  const rootfsDir = lock.compiler === undefined ? undefined : await compilerTree(store, lock.compiler);
  const place = { sourceDir, filesDir: join(workDir, "files"), rootfsDir };
  const files = await placeFiles(lock.files, recipe.files ?? [], lock.modules, store, place);
  const laidOut = [...(sourceDir.startsWith(`${workDir}/`) ? [layOut(sourceDir)] : []), layOut(place.filesDir)];
  return { toolchainDir, modulesDir, sourceDir, files, laidOut, ...(rootfsDir === undefined ? {} : { rootfsDir }) };
}

/** The compiler's root file system in the store, every file digested again. */
export async function compilerTree(store: Store, compiler: LockedCompiler): Promise<string> {
  if (compiler.kind === "image") {
    const { imageTree } = await import("./inputs/oci-stored.ts");
    return imageTree(store, compiler);
  }
  const { rootfsTree } = await import("./inputs/rootfs.ts");
  const { makeDebianRootfs } = await import("./inputs/debian-rootfs.ts");
  return rootfsTree(store, compiler.rootfs, (dir) => makeDebianRootfs(store, compiler.packages, dir));
}

async function prepareSource({ lock, recipeDir }: Subject, store: Store, dir: string): Promise<string> {
  if (!lock.files.some(({ to }) => !to.startsWith("/"))) return openSource(lock.source, { store, recipeDir }, dir);
  await copySource(lock.source, { store, recipeDir }, dir);
  return dir;
}

/**
 * Digests once more what the sandboxes read: whoever can write to the store could have changed it after it was looked at
 * and before it was used. Throws `alarm/STORE_DAMAGED`, `alarm/INPUT_CHANGED`.
 */
export async function recheckInputs(
  lock: Lock,
  toolchain: LockedToolchain,
  store: Store,
  { laidOut, modulesDir }: PreparedInputs,
): Promise<void> {
  for (const one of laidOut) assertUnchanged(one);
  await recheckModules(lock.modules, modulesDir);
  await toolchainTree(store, toolchain);
  if (lock.source.kind === "module") await moduleTree(store, lock.source);
  if (lock.compiler !== undefined) await compilerTree(store, lock.compiler);
}

/** The toolchain that runs here. Throws `caller/TOOLCHAIN_NOT_LOCKED`. */
export function hostToolchain(lock: Lock, host: HostFacts): LockedToolchain {
  const toolchain = lock.go.toolchains.find((one) => one.host === host.platform);
  if (toolchain === undefined) {
    throw new TwinsealError("caller", "TOOLCHAIN_NOT_LOCKED", `the lock has no Go toolchain for ${host.platform}`, {
      hint: "run twinseal pin",
    });
  }
  return toolchain;
}

/** Throws `caller/COMPILER_NOT_LOCKED` when the lock's C compiler runs on another host than this. */
export function assertHostCompiler({ compiler }: Lock, host: HostFacts): void {
  if (compiler === undefined || compiler.host === host.platform) return;
  throw new TwinsealError(
    "caller",
    "COMPILER_NOT_LOCKED",
    `the lock's C compiler runs on ${compiler.host}, and this is ${host.platform}`,
    { hint: `build on ${compiler.host}, or run twinseal pin here` },
  );
}
