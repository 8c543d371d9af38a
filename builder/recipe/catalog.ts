import { access, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import { loadLock } from "./load-lock.ts";
import { loadRecipe } from "./load.ts";
import { nearestWord } from "./suggest.ts";
import { compareVersions } from "./version-order.ts";

export type CatalogDeps = { readonly cwd: string; readonly manifestsDir: string };

/** Where a recipe lies and where the locks of its versions lie. */
export type RecipePlace = {
  readonly name: string;
  /** The twinseal.yaml of the working directory, with one lock beside it; else a recipe of the manifests. */
  readonly project: boolean;
  /** As asked for; absent when none was named. */
  readonly version: string | undefined;
  readonly recipePath: string;
  readonly lockPathOf: (version: string) => string;
};

export type FoundRecipe = {
  readonly name: string;
  readonly version: string;
  readonly recipePath: string;
  readonly lockPath: string;
};

export const PROJECT_RECIPE = "twinseal.yaml";
export const PROJECT_LOCK = "twinseal.lock.json";
export const MANIFEST_RECIPE = "recipe.yaml";
export const LOCK_SUFFIX = ".lock.json";

/**
 * The recipe that `name`, `name@version`, `@version` or nothing means: without a name the twinseal.yaml of the
 * working directory, with one that file if it calls itself so, else a directory of `manifestsDir`. No lock is needed.
 * Throws `caller/RECIPE_UNKNOWN`, `caller/SPEC_INVALID`.
 */
export async function placeRecipe(spec: string | undefined, deps: CatalogDeps): Promise<RecipePlace> {
  const { name, version } = parseSpec(spec ?? "");
  if (name === undefined) return placeProject(version, deps);
  const names = await manifestNames(deps.manifestsDir);
  const listed = names.includes(name);
  const project = await findProject(version, deps).catch((error: unknown) => {
    if (listed) return undefined; // a broken file that was not asked for is no reason to stop
    throw error;
  });
  if (project?.name === name) return project;
  if (listed) {
    const dir = join(deps.manifestsDir, name);
    return {
      name,
      project: false,
      version,
      recipePath: join(dir, MANIFEST_RECIPE),
      lockPathOf: (one) => join(dir, `${one}${LOCK_SUFFIX}`),
    };
  }
  const known = project === undefined ? names : [...names, project.name];
  const near = nearestWord(name, known);
  throw new TwinsealError("caller", "RECIPE_UNKNOWN", `there is no recipe named ${JSON.stringify(name)}`, {
    hint:
      near === undefined
        ? `known: ${known.join(", ") || "none"}; twinseal init writes one for the project you stand in`
        : `did you mean ${near}?`,
  });
}

/**
 * As `placeRecipe`, with a lock that is there: that of the named version, else the newest. Throws also
 * `caller/LOCK_MISSING`.
 */
export async function findRecipe(spec: string | undefined, deps: CatalogDeps): Promise<FoundRecipe> {
  const place = await placeRecipe(spec, deps);
  const { name, recipePath } = place;
  const versions = place.project ? await projectVersions(deps) : await lockedVersions(join(deps.manifestsDir, name));
  const version = place.version ?? versions.at(-1);
  if (version === undefined || !versions.includes(version)) throw lockMissing(name, version, versions);
  return { name, version, recipePath, lockPath: place.lockPathOf(version) };
}

/** The locks that lie beside a recipe, oldest version first. */
export async function lockPathsOf(
  place: Pick<RecipePlace, "project" | "recipePath" | "lockPathOf">,
): Promise<readonly string[]> {
  if (!place.project) return (await lockedVersions(dirname(place.recipePath))).map(place.lockPathOf);
  const path = place.lockPathOf("");
  return (await exists(path)) ? [path] : [];
}

/** Whether the working directory has a recipe of its own. */
export async function hasProject(cwd: string): Promise<boolean> {
  return exists(join(cwd, PROJECT_RECIPE));
}

/** Names of the recipes that lie in a manifests directory, sorted. */
export async function manifestNames(manifestsDir: string): Promise<readonly string[]> {
  const entries = await readDirectory(manifestsDir);
  const there = await Promise.all(
    entries.map(async (name) => ({ name, there: await exists(join(manifestsDir, name, MANIFEST_RECIPE)) })),
  );
  return there
    .filter((entry) => entry.there)
    .map((entry) => entry.name)
    .toSorted();
}

/** Versions that have a lock in a recipe's directory, oldest first. */
export async function lockedVersions(dir: string): Promise<readonly string[]> {
  const entries = await readDirectory(dir);
  return entries
    .filter((name) => name.endsWith(LOCK_SUFFIX))
    .map((name) => name.slice(0, -LOCK_SUFFIX.length))
    .toSorted(compareVersions);
}

function parseSpec(spec: string): { name: string | undefined; version: string | undefined } {
  const match = /^([a-z0-9][a-z0-9._-]*)?(?:@([0-9A-Za-z][0-9A-Za-z._+-]*))?$/.exec(spec);
  if (match === null || spec.includes("..")) {
    throw new TwinsealError("caller", "SPEC_INVALID", `${JSON.stringify(spec)} names no recipe`, {
      hint: "write name or name@version, for example cosmovisor@1.7.1",
    });
  }
  return { name: match[1], version: match[2] };
}

async function placeProject(version: string | undefined, deps: CatalogDeps): Promise<RecipePlace> {
  const project = await findProject(version, deps);
  if (project !== undefined) return project;
  const names = await manifestNames(deps.manifestsDir);
  throw new TwinsealError(
    "caller",
    "RECIPE_UNKNOWN",
    `no recipe was named, and there is no ${PROJECT_RECIPE} in ${deps.cwd}`,
    {
      hint: `name one (${names.join(", ") || "none is known"}), or run twinseal init`,
    },
  );
}

async function findProject(version: string | undefined, deps: CatalogDeps): Promise<RecipePlace | undefined> {
  const recipePath = join(deps.cwd, PROJECT_RECIPE);
  if (!(await hasProject(deps.cwd))) return undefined;
  const { recipe } = await loadRecipe(recipePath);
  return { name: recipe.name, project: true, version, recipePath, lockPathOf: () => join(deps.cwd, PROJECT_LOCK) };
}

/** A project has one lock; its version stands in it. */
async function projectVersions(deps: CatalogDeps): Promise<readonly string[]> {
  const path = join(deps.cwd, PROJECT_LOCK);
  return (await exists(path)) ? [(await loadLock(path)).version] : [];
}

function lockMissing(name: string, version: string | undefined, versions: readonly string[]): TwinsealError {
  const what = version === undefined ? `${name} has no lock` : `${name} has no lock for version ${version}`;
  const have = versions.length === 0 ? "" : `, or take ${versions.toReversed().join(", ")}`;
  return new TwinsealError("caller", "LOCK_MISSING", what, {
    hint: `run twinseal pin ${name}@${version ?? "<version>"}${have}`,
  });
}

async function readDirectory(dir: string): Promise<readonly string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT" || systemCodeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
