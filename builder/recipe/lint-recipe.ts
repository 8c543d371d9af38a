import type { Finding } from "./finding.ts";
import type { Recipe } from "./schema.ts";

type Rule = (recipe: Recipe) => Omit<Finding, "path">[];

/** What is allowed by the format and still wrong, or unwise, in a recipe. Pure. */
export function lintRecipe(recipe: Recipe, path: string): Finding[] {
  return [buildIds, placesClash].flatMap((rule: Rule) => rule(recipe)).map((finding) => ({ ...finding, path }));
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
