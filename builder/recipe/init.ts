import { randomUUID } from "node:crypto";
import { readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import { PROJECT_RECIPE } from "./catalog.ts";
import { readGitFacts, type GitFacts } from "./init-git.ts";
import { moduleName, parseGoMod, type GoMod } from "./init-modules.ts";
import { chooseMainPackage, findMainPackages } from "./init-packages.ts";
import { findTagPattern } from "./init-tags.ts";
import { renderDraft, type RecipeDraft } from "./init-text.ts";
import { parseRecipe } from "./load.ts";

export type InitOptions = {
  /** Take the source from the module proxy under this path; empty: under the path that go.mod names. */
  readonly fromModule: string | undefined;
  readonly force: boolean;
};

export type InitDeps = {
  readonly cwd: string;
  readonly packageRoot: string;
  readonly env: Readonly<Record<string, string | undefined>>;
};

export type InitResult = {
  readonly path: string;
  readonly name: string;
  readonly mainPackage: string;
  readonly otherPackages: readonly string[];
  /** Newest version among the tags, for the next step's command line. */
  readonly version: string | undefined;
};

/**
 * Writes twinseal.yaml for the Go project of the working directory. Throws `caller/NOT_A_GO_PROJECT`,
 * `caller/NO_MAIN_PACKAGE`, `caller/RECIPE_EXISTS`; nothing is written then.
 */
export async function initRecipe(options: InitOptions, deps: InitDeps): Promise<InitResult> {
  const path = join(deps.cwd, PROJECT_RECIPE);
  const goMod = await readGoMod(deps.cwd);
  const name = moduleName(goMod.module);
  const packages = (await findMainPackages(deps.cwd)).filter((one) => /^[A-Za-z0-9._/-]+$/.test(one));
  const mainPackage = chooseMainPackage(packages, name);
  if (mainPackage === undefined) {
    throw new TwinsealError("caller", "NO_MAIN_PACKAGE", `${deps.cwd} has no package main with a func main`, {
      hint: "twinseal builds programs; stand in the directory of the go.mod that has one",
    });
  }
  const git = await readGitFacts(deps.cwd, deps.env);
  const tags = git === undefined ? undefined : findTagPattern(git.tags, git.dir);
  const draft: RecipeDraft = {
    name,
    schemaPath: schemaPathFrom(deps),
    source: chooseSource(options, goMod, git, tags?.pattern),
    module: goMod.module,
    goLine: goMod.toolchain?.replace(/^go/, "") ?? goMod.go,
    mainPackage,
    otherPackages: packages.filter((one) => one !== mainPackage),
    versionVariable: await findVersionVariable(join(deps.cwd, mainPackage)),
  };
  const text = renderDraft(draft);
  parseRecipe(text, path);
  await writeRecipe(path, text, options.force);
  return { path, name, mainPackage, otherPackages: draft.otherPackages, version: tags?.version };
}

function chooseSource(
  options: InitOptions,
  goMod: GoMod,
  git: GitFacts | undefined,
  pattern: string | undefined,
): RecipeDraft["source"] {
  if (options.fromModule !== undefined)
    return { module: options.fromModule === "" ? goMod.module : options.fromModule };
  if (git?.url !== undefined && pattern !== undefined) return { git: git.url, tag: pattern, dir: git.dir };
  return { path: "." };
}

async function readGoMod(cwd: string): Promise<GoMod> {
  const path = join(cwd, "go.mod");
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  const goMod = text === undefined ? undefined : parseGoMod(text);
  if (goMod !== undefined) return goMod;
  throw new TwinsealError(
    "caller",
    "NOT_A_GO_PROJECT",
    text === undefined ? `there is no go.mod in ${cwd}` : `${path} names no module`,
    { hint: "stand in the directory of the project's go.mod" },
  );
}

/** Beside the project where twinseal is one of its dependencies; it is the same file wherever that is. */
function schemaPathFrom(deps: InitDeps): string {
  const schema = "manifests/schema/recipe.schema.json";
  const inside = relative(deps.cwd, deps.packageRoot);
  return inside === "" || inside.startsWith("..") || isAbsolute(inside)
    ? `./node_modules/twinseal/${schema}`
    : `./${inside}/${schema}`;
}

/** `var version string` or `version = "dev"` of package main; -X can set only a variable that is a string. */
async function findVersionVariable(dir: string): Promise<string | undefined> {
  for (const name of (await readdir(dir))
    .filter((one) => one.endsWith(".go") && !one.endsWith("_test.go"))
    .toSorted()) {
    const text = await readFile(join(dir, name), "utf8");
    const own = /^var[ \t]+(version|Version)(?:[ \t]+string\b|[ \t]*=[ \t]*")/m.exec(text)?.[1];
    const grouped = /^var[ \t]*\([^)]*?^[ \t]+(version|Version)(?:[ \t]+string\b|[ \t]*=[ \t]*")/m.exec(text)?.[1];
    if (own !== undefined || grouped !== undefined) return own ?? grouped;
  }
  return undefined;
}

async function writeRecipe(path: string, text: string, force: boolean): Promise<void> {
  if (force) {
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await writeFile(temporary, text, { flag: "wx" });
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    return;
  }
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
    throw new TwinsealError("caller", "RECIPE_EXISTS", `${path} is there already`, {
      hint: "give --force to write it anew",
    });
  }
}
