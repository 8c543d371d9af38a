import type { Finding } from "./finding.ts";
import { recipeOfVersion, type Recipe } from "./schema.ts";

type Rule = (recipe: Recipe) => Omit<Finding, "path">[];

/** What is allowed by the format and still wrong, or unwise, in a recipe, for any version. Pure. */
export function lintRecipe(recipe: Recipe, path: string): Finding[] {
  const versions = (recipe.perVersion ?? []).map(({ from }) => recipeOfVersion(recipe, from));
  const found = [recipe, ...versions].flatMap((one) => [buildIds, placesClash].flatMap((rule: Rule) => rule(one)));
  // What is wrong for several versions is said once.
  const told = new Map(found.map((finding) => [`${finding.code} ${finding.message}`, finding]));
  return [...told.values()].map((finding) => ({ ...finding, path }));
}

const buildIds: Rule = ({ build, perTarget }) =>
  [build, ...Object.values(perTarget ?? {}).filter((keys) => keys?.ldflags !== undefined)]
    .filter((keys) => !/(^|\s)-buildid=/.test(keys?.ldflags ?? ""))
    .map(() => ({
      severity: "warning" as const,
      code: "BUILD_ID_KEPT",
      message: "ldflags do not empty the build id, which changes with every input, also with one that changes no code",
      hint: "add -buildid=",
    }));

const placesClash: Rule = ({ files, inputs }) =>
  clashes([...(files ?? []), ...Object.values(inputs ?? {})].map((file) => file.to)).map(([first, second]) => ({
    severity: "error" as const,
    code: "PLACES_CLASH",
    message: `${second} and ${first} cannot both be there`,
    hint: "give each file a path of its own, different also without regard to case",
  }));

/** Pairs of paths that are equal, without regard to case, or of which one lies below the other. */
export function clashes(paths: readonly string[]): [string, string][] {
  const plain = paths.map((path) => path.replace(/^\.\//, "").toLowerCase());
  return plain.flatMap((one, index) =>
    plain
      .slice(0, index)
      .flatMap((other, earlier): [string, string][] =>
        one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)
          ? [[paths[earlier] ?? other, paths[index] ?? one]]
          : [],
      ),
  );
}
