import type { DivergentPackage } from "../action-graph.ts";
import type { Difference } from "../compare.ts";
import { dimensions, type DimensionId } from "../dimensions.ts";
import type { Observed } from "../run.ts";

/** Why two artifacts differ, as far as it can be told; a guess is called one. */
export type Explanation = {
  readonly cause?: DimensionId;
  readonly text: string;
  readonly hint: string;
};

/** Names the dimension whose two values stand where the bytes differ, else the first package that differs. */
export function explainDifferences(
  differences: readonly Difference[],
  observed: { readonly a: Observed; readonly b: Observed },
  divergent: readonly DivergentPackage[],
): Explanation {
  const where =
    divergent[0] === undefined
      ? ""
      : `; the first package that differs is ${divergent[0].package} (${divergent[0].why})`;
  const failed = differences.find(
    (difference): difference is Extract<Difference, { message: string }> => "message" in difference,
  );
  if (failed !== undefined) {
    return {
      text: `the build failed in one environment only: ${failed.message}`,
      hint: "read that side's build.log: the build depends on its environment",
    };
  }
  for (const difference of differences) {
    if (difference.kind !== "bytes") continue;
    for (const { id, about } of dimensions) {
      const [a, b] = [observed.a[id], observed.b[id]];
      if (a === undefined || b === undefined || a === b) continue;
      const seen = tokens(a).find((token) => difference.excerpt.a.includes(token) && !b.includes(token));
      const twin = tokens(b).find((token) => difference.excerpt.b.includes(token) && !a.includes(token));
      if (seen === undefined && twin === undefined) continue;
      const said = [
        seen === undefined ? "" : `A's holds ${JSON.stringify(seen)}`,
        twin === undefined ? "" : `B's holds ${JSON.stringify(twin)}`,
      ]
        .filter((text) => text !== "")
        .join(", ");
      return {
        cause: id,
        text: `${difference.name} depends on ${id} (${about}): ${said}${where}`,
        hint: `find what writes it into the program; as a last resort fix it in the recipe: fix: {${id}: "why"}`,
      };
    }
  }
  return {
    text: `no dimension's value stands where the bytes differ${where}`,
    hint: "look at the bytes in the report; random numbers and the order of a map are usual causes",
  };
}

/** Parts of an observed value that are long enough not to occur by chance; of a time its day. */
function tokens(value: string): readonly string[] {
  const parts = [value, ...value.split(/[\s(),;]+/), ...value.split("/"), value.slice(0, 10)];
  return parts.filter((part) => part.length >= 4);
}
