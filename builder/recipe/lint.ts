import { basename, dirname, join } from "node:path";
import { TwinsealError } from "../errors.ts";
import {
  LOCK_SUFFIX,
  MANIFEST_RECIPE,
  PROJECT_LOCK,
  PROJECT_RECIPE,
  hasProject,
  lockPathsOf,
  manifestNames,
  placeRecipe,
  type CatalogDeps,
} from "./catalog.ts";
import type { Finding } from "./finding.ts";
import type { Store } from "../store/store.ts";
import { lintInputs } from "./lint-inputs.ts";
import { lintLock } from "./lint-lock.ts";
import { lintRecipe } from "./lint-recipe.ts";
import { loadLock } from "./load-lock.ts";
import { loadedOfVersion, readRecipe, readRecipeText, recipeSha256, type LoadedRecipe } from "./load.ts";

export type Lint = {
  readonly findings: readonly Finding[];
  readonly recipes: readonly string[];
  readonly locks: readonly string[];
};

export type LintDeps = CatalogDeps & {
  /** Where inputs that are fetched already lie; absent: they are not looked at. */
  readonly inputs?: Store | undefined;
};

/**
 * Checks recipes and all their locks, without network and without building. Without names: the project of the working
 * directory, else every recipe of `manifestsDir`. Throws only where a name is unknown.
 */
export async function lintRecipes(names: readonly string[], deps: LintDeps): Promise<Lint> {
  const places = await placesOf(names, deps);
  const lints = await Promise.all(places.map((place) => lintPlace(place, deps.inputs)));
  return {
    findings: lints.flatMap((lint) => lint.findings),
    recipes: lints.flatMap((lint) => lint.recipes),
    locks: lints.flatMap((lint) => lint.locks),
  };
}

type Place = { readonly project: boolean; readonly recipePath: string; readonly lockPaths: readonly string[] };

async function placesOf(names: readonly string[], deps: CatalogDeps): Promise<readonly Place[]> {
  if (names.length > 0) {
    return Promise.all(
      names.map(async (name) => {
        const place = await placeRecipe(name, deps);
        return {
          ...place,
          lockPaths: place.version === undefined ? await lockPathsOf(place) : [place.lockPathOf(place.version)],
        };
      }),
    );
  }
  const bare = (await hasProject(deps.cwd))
    ? [{ project: true, recipePath: join(deps.cwd, PROJECT_RECIPE), lockPathOf: () => join(deps.cwd, PROJECT_LOCK) }]
    : (await manifestNames(deps.manifestsDir)).map((name) => {
        const dir = join(deps.manifestsDir, name);
        return {
          project: false,
          recipePath: join(dir, MANIFEST_RECIPE),
          lockPathOf: (version: string) => join(dir, `${version}${LOCK_SUFFIX}`),
        };
      });
  return Promise.all(bare.map(async (place) => ({ ...place, lockPaths: await lockPathsOf(place) })));
}

async function lintPlace(place: Place, store: Store | undefined): Promise<Lint> {
  const { recipePath, lockPaths } = place;
  const read = await orFinding(recipePath, async () => readRecipe(await readRecipeText(recipePath)));
  if ("severity" in read) return { findings: [read], recipes: [recipePath], locks: [] };
  if ("problems" in read) {
    const findings = read.problems.map(({ line, column, what, hint }): Finding => ({
      severity: "error",
      code: "RECIPE_INVALID",
      path: recipePath,
      line,
      column,
      message: what,
      ...(hint === undefined ? {} : { hint }),
    }));
    return { findings, recipes: [recipePath], locks: [] };
  }
  const loaded: LoadedRecipe = {
    recipe: read.recipe,
    sha256: recipeSha256(read.recipe),
    path: recipePath,
    dir: dirname(recipePath),
  };
  const locks = await Promise.all(lockPaths.map((path) => lintLockFile(path, loaded, place.project, store)));
  return {
    findings: [
      ...lintRecipe(loaded.recipe, recipePath),
      ...namesFit(place, loaded),
      ...noLock(lockPaths, loaded),
      ...locks.flat(),
    ],
    recipes: [recipePath],
    locks: lockPaths,
  };
}

function namesFit(place: Place, { recipe, dir, path }: LoadedRecipe): Finding[] {
  if (place.project || basename(dir) === recipe.name) return [];
  return [
    {
      severity: "error",
      code: "NAME_DIFFERS",
      path,
      message: `the recipe is named ${recipe.name} and lies in ${basename(dir)}/`,
      hint: "the directory carries the recipe's name",
    },
  ];
}

function noLock(lockPaths: readonly string[], { recipe, path }: LoadedRecipe): Finding[] {
  if (lockPaths.length > 0) return [];
  return [
    {
      severity: "warning",
      code: "LOCK_MISSING",
      path,
      message: "no version has a lock yet",
      hint: `run twinseal pin ${recipe.name}@<version>`,
    },
  ];
}

async function lintLockFile(
  path: string,
  ofAll: LoadedRecipe,
  project: boolean,
  store: Store | undefined,
): Promise<Finding[]> {
  const lock = await orFinding(path, () => loadLock(path));
  if ("severity" in lock) return [lock];
  const loaded = loadedOfVersion(ofAll, lock.version);
  const named = project || basename(path) === `${lock.version}${LOCK_SUFFIX}`;
  return [
    ...(named
      ? []
      : [
          {
            severity: "error" as const,
            code: "LOCK_NAME_DIFFERS",
            path,
            message: `the lock is for version ${lock.version}`,
            hint: `name it ${lock.version}${LOCK_SUFFIX}`,
          },
        ]),
    ...lintLock({ lock, loaded }, path),
    ...(store === undefined ? [] : await lintInputs(loaded.recipe, lock, store, path)),
  ];
}

/** The caller's mistakes become findings; anything else is no finding and goes on. */
async function orFinding<T extends object>(path: string, read: () => Promise<T>): Promise<T | Finding> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TwinsealError) || error.kind !== "caller") throw error;
    return {
      severity: "error",
      code: error.code,
      path,
      ...placed(error.message, path),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    };
  }
}

/** `path:3: what` as line and message: a finding carries its path by itself. */
function placed(message: string, path: string): { message: string; line?: number } {
  if (!message.startsWith(`${path}:`)) return { message };
  const [, line, what = ""] = /^(?:(\d+):)? ?([^]*)$/.exec(message.slice(path.length + 1)) ?? [];
  return { message: what, ...(line === undefined ? {} : { line: Number(line) }) };
}
