import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { TwinsealError } from "../errors.ts";
import { goModH1 } from "../inputs/h1.ts";
import { copySource } from "../inputs/source.ts";
import { toolchainTree } from "../inputs/go-toolchain.ts";
import { blobPath } from "../store/store.ts";
import type { Compiler } from "./compiler-schema.ts";
import { fullGoVersion, goVersionOf } from "./go-version.ts";
import { loadedOfVersion, type LoadedRecipe } from "./load.ts";
import { lockSchema, type Lock, type LockedCompiler, type LockedSource } from "./lock.ts";
import { fetchUnknown, type PinDeps } from "./pin-deps.ts";
import { lockFiles } from "./pin-files.ts";
import { lockModules } from "./pin-modules.ts";
import { assertZipH1, lockToolchains } from "./pin-toolchain.ts";

export type PinInput = {
  readonly loaded: LoadedRecipe;
  readonly version: string;
  /** Where a git source is fetched from instead of the recipe's URL; the identity stays the recipe's. */
  readonly from?: string;
  /** Empty directory; removed by the caller. */
  readonly workDir: string;
};

const MAX_ZIP_BYTES = 1024 ** 3;

/** Resolves every input of one version, each proven, and returns the lock. Writes nothing but the store. */
export async function pinRecipe(given: PinInput, deps: PinDeps): Promise<Lock> {
  assertVersion(given.version);
  const input = { ...given, loaded: loadedOfVersion(given.loaded, given.version) };
  const { recipe, sha256, dir } = input.loaded;
  if (recipe.inputs !== undefined) {
    throw new TwinsealError(
      "caller",
      "INPUTS_UNSUPPORTED",
      "`inputs` is reserved: outputs of other recipes cannot be locked yet",
    );
  }
  if (deps.imageFrom !== undefined && (recipe.compiler === undefined || !("image" in recipe.compiler))) {
    throw new TwinsealError("caller", "IMAGE_UNUSED", "the recipe has no compiler from an image", {
      hint: "leave --image-from out",
    });
  }
  deps.say(`resolving ${recipe.name} ${input.version}`);
  const { source, sourceDateEpoch } = await lockSource(input, deps);
  const sourceDir = join(input.workDir, "source");
  await copySource(source, { store: deps.store, recipeDir: dir }, sourceDir);
  const moduleDir = join(sourceDir, recipe.source.dir ?? "");
  const goVersion = recipe.go === "auto" ? goVersionOf(await readGoMod(moduleDir), "go.mod") : fullGoVersion(recipe.go);
  deps.say(`locking Go ${goVersion}`);
  const toolchains = await lockToolchains(goVersion, deps);
  const own = toolchains.find(({ host }) => host === deps.host);
  if (own === undefined) throw new TwinsealError("world", "HOST_UNSUPPORTED", `no Go toolchain for ${deps.host}`);
  const goroot = await toolchainTree(deps.store, own);
  await mkdir(input.workDir, { recursive: true });
  const modules = await lockModules(recipe, { goroot, moduleDir, workDir: input.workDir }, deps);
  const compiler = await lockCompiler(recipe.compiler, input.workDir, deps);
  const { name, treeSize, rootHash } = deps.database.treeHead();
  return lockSchema.parse({
    lock: 1,
    name: recipe.name,
    version: input.version,
    recipe: { sha256 },
    source,
    ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
    go: { version: goVersion, toolchains },
    ...(compiler === undefined ? {} : { compiler }),
    modules,
    files: await lockFiles(recipe.files ?? [], modules, deps),
    inputs: [],
    checksumDatabase: { name, treeSize, rootHash },
  });
}

function assertVersion(version: string): void {
  if (/^\d[0-9A-Za-z.+-]*$/.test(version) && !version.includes("..")) return;
  throw new TwinsealError("caller", "VERSION_INVALID", `${JSON.stringify(version)} is not a version`, {
    hint: "write it without the v, for example 1.7.1",
  });
}

type Sourced = { readonly source: LockedSource; readonly sourceDateEpoch?: number };

async function lockSource(input: PinInput, deps: PinDeps): Promise<Sourced> {
  const { source } = input.loaded.recipe;
  if ("path" in source) return { source: { kind: "path", path: source.path } };
  if ("module" in source) {
    if (input.from !== undefined)
      throw new TwinsealError(
        "caller",
        "FROM_UNFIT",
        "--from is for git sources; this one comes from the module proxy",
      );
    return lockModuleSource(source.module, `v${input.version}`, deps);
  }
  const { lockGitSource } = await import("./pin-git.ts");
  return lockGitSource(
    {
      url: source.git,
      tag: source.tag.replaceAll("{version}", input.version),
      from: input.from ?? source.git,
      submodules: source.submodules,
    },
    {
      store: deps.store,
      gitEnv: deps.gitEnv,
      workDir: input.workDir,
    },
  );
}

const infoSchema = z.object({ Version: z.string(), Time: z.iso.datetime() });

async function lockModuleSource(path: string, version: string, deps: PinDeps): Promise<Sourced> {
  const info = await fetchUnknown(path, version, "info", 1 << 16, deps);
  const { Version, Time } = infoSchema.parse(JSON.parse(await readFile(blobPath(deps.store, info.sha256), "utf8")));
  if (Version !== version)
    throw new TwinsealError(
      "alarm",
      "VERSION_CHANGED",
      `the module proxy answers ${Version} when asked for ${version}`,
    );
  const [zip, mod, proven] = await Promise.all([
    fetchUnknown(path, version, "zip", MAX_ZIP_BYTES, deps),
    fetchUnknown(path, version, "mod", 1 << 24, deps),
    deps.database.lookup(path, version),
  ]);
  await assertZipH1(blobPath(deps.store, zip.sha256), proven.h1, `${path} ${version}`);
  if (goModH1(await readFile(blobPath(deps.store, mod.sha256))) !== proven.goModH1) {
    throw new TwinsealError(
      "alarm",
      "DIGEST_MISMATCH",
      `the go.mod of ${path} ${version} is not the one of the checksum database`,
    );
  }
  return {
    source: { kind: "module", path, version, h1: proven.h1, goModH1: proven.goModH1, zip },
    sourceDateEpoch: Math.floor(Date.parse(Time) / 1000),
  };
}

async function lockCompiler(
  compiler: Compiler | undefined,
  workDir: string,
  deps: PinDeps,
): Promise<LockedCompiler | undefined> {
  if (compiler === undefined) return undefined;
  if ("image" in compiler) {
    const { lockImage } = await import("./pin-image.ts");
    return lockImage(compiler.image, deps);
  }
  const { pinDebian } = await import("./pin-debian.ts");
  return pinDebian(compiler, { ...deps, workDir: join(workDir, "debian") });
}

async function readGoMod(moduleDir: string): Promise<string> {
  try {
    return await readFile(join(moduleDir, "go.mod"), "utf8");
  } catch (error) {
    throw new TwinsealError("caller", "GO_MOD_MISSING", "the source has no go.mod where the recipe's `dir` points", {
      cause: error,
      hint: "write source.dir, the directory of the go.mod inside the source",
    });
  }
}
