import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { sha256Of, type Sha256 } from "../digest.ts";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import { renderProblem, sortProblems, type Problem } from "./problem.ts";
import { keysOfSchema } from "./schema-keys.ts";
import { schemaProblems } from "./schema-problems.ts";
import { recipeOfVersion, recipeSchema, type Recipe } from "./schema.ts";
import { sourceProblems } from "./source-problems.ts";
import { readYaml } from "./yaml-text.ts";

/** A recipe with what locks and plans need of its file. `sha256` is that of its canonical JSON: comments do not count. */
export type LoadedRecipe = {
  readonly recipe: Recipe;
  readonly sha256: Sha256;
  readonly path: string;
  readonly dir: string;
};

const MAX_RECIPE_BYTES = 1 << 20;

/** Reads a recipe out of YAML text: the recipe, or everything that is wrong with it in the order of the file. */
export function readRecipe(text: string): { readonly recipe: Recipe } | { readonly problems: readonly Problem[] } {
  if (Buffer.byteLength(text) > MAX_RECIPE_BYTES) {
    return {
      problems: [
        {
          line: 1,
          column: 1,
          what: "the file is larger than 1 MiB",
          hint: "a recipe is a page of text; is this the right file?",
        },
      ],
    };
  }
  const yaml = readYaml(text);
  if (!("value" in yaml)) return { problems: yaml };
  const parsed = recipeSchema.safeParse(yaml.value);
  if (parsed.success) return { recipe: parsed.data };
  const source = sourceProblems(yaml);
  const issues = parsed.error.issues.filter((issue) => source.length === 0 || issue.path[0] !== "source");
  return {
    problems: sortProblems([...source, ...schemaProblems(issues, yaml, (path) => keysOfSchema(recipeSchema, path))]),
  };
}

/** Throws `caller/RECIPE_INVALID`, one line `path:line:column: what; what to write instead` for each problem. */
export function parseRecipe(text: string, path: string): Recipe {
  const read = readRecipe(text);
  if ("recipe" in read) return read.recipe;
  throw new TwinsealError(
    "caller",
    "RECIPE_INVALID",
    read.problems.map((problem) => renderProblem(path, problem)).join("\n"),
    {
      hint: "docs/recipe.md explains every key",
    },
  );
}

/** Throws as `parseRecipe`, and `caller/RECIPE_UNREADABLE`. */
export async function loadRecipe(path: string): Promise<LoadedRecipe> {
  const recipe = parseRecipe(await readRecipeText(path), path);
  return { recipe, sha256: recipeSha256(recipe), path, dir: dirname(path) };
}

/** The recipe as it is for one version, which that version's lock names by its digest. */
export function loadedOfVersion(loaded: LoadedRecipe, version: string): LoadedRecipe {
  const recipe = recipeOfVersion(loaded.recipe, version);
  return { ...loaded, recipe, sha256: recipeSha256(recipe) };
}

/** What a lock names its recipe by. */
export function recipeSha256(recipe: Recipe): Sha256 {
  return sha256Of(canonicalJson(z.json().parse(JSON.parse(JSON.stringify(recipe)))));
}

/** The text of a recipe's file, read no further than its size limit. */
export async function readRecipeText(path: string): Promise<string> {
  return readTextFile(path, MAX_RECIPE_BYTES + 1, "RECIPE_UNREADABLE");
}

/** A regular file as UTF-8, at most `maxBytes` of it. Throws `caller/<code>` for what is no such file. */
export async function readTextFile(path: string, maxBytes: number, code: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new TwinsealError("caller", code, `reading ${path}: ${why}`, { cause });
  try {
    // Without O_NONBLOCK opening a named pipe would wait for ever.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) throw refuse("it is not a regular file");
    const bytes = Buffer.alloc(Math.min(stat.size, maxBytes));
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    if (error instanceof TwinsealError) throw error;
    if (error instanceof TypeError) throw refuse("it is not UTF-8 text", error);
    throw refuse(systemCodeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error), error);
  }
}
