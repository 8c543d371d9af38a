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

/** A dimension's value that stands in one side's artifact and not in the other's. */
export type HeldValue = { readonly id: DimensionId; readonly a?: string; readonly b?: string };

/** The texts by which each dimension's two values would be known in an artifact. */
export type DimensionTokens = {
  readonly id: DimensionId;
  readonly a: readonly string[];
  readonly b: readonly string[];
};

/** Pure: what to look for. Texts that both values share say nothing, short ones occur by chance. */
export function dimensionTokens(observed: { readonly a: Observed; readonly b: Observed }): readonly DimensionTokens[] {
  return dimensions.flatMap(({ id }) => {
    const [a, b] = [observed.a[id], observed.b[id]];
    if (a === undefined || b === undefined || a === b) return [];
    return [
      {
        id,
        a: tokensOf(a).filter((token) => !b.includes(token)),
        b: tokensOf(b).filter((token) => !a.includes(token)),
      },
    ];
  });
}

/** Parts of an observed value that are long enough not to occur by chance, the longest first; of a time its day. */
function tokensOf(value: string): readonly string[] {
  const parts = [value, ...value.split(/[\s(),;]+/), ...value.split("/"), value.slice(0, 10)];
  return [...new Set(parts.filter((part) => part.length >= 4))].toSorted((one, other) => other.length - one.length);
}

/** Pure: which dimensions' values are in one artifact only, those that both sides show first. */
export function heldValues(
  tokens: readonly DimensionTokens[],
  held: { readonly a: ReadonlySet<string>; readonly b: ReadonlySet<string> },
): readonly HeldValue[] {
  const values = tokens.flatMap(({ id, a, b }) => {
    const left = a.find((token) => held.a.has(token) && !held.b.has(token));
    const right = b.find((token) => held.b.has(token) && !held.a.has(token));
    if (left === undefined && right === undefined) return [];
    return [{ id, ...(left === undefined ? {} : { a: left }), ...(right === undefined ? {} : { b: right }) }];
  });
  const bothSides = ({ a, b }: HeldValue) => Number(a !== undefined && b !== undefined);
  return values.toSorted((one, other) => bothSides(other) - bothSides(one));
}

/** Names the dimension whose values stand in the artifacts, else the first package that differs. */
export function explainDifferences(
  differences: readonly Difference[],
  held: readonly HeldValue[],
  divergent: readonly DivergentPackage[],
): Explanation {
  const [first] = divergent;
  const where = first === undefined ? "" : `; the first package that differs is ${first.package} (${first.why})`;
  const failed = differences.find(
    (difference): difference is Extract<Difference, { message: string }> => "message" in difference,
  );
  if (failed !== undefined) {
    return {
      text: `the build failed in one environment only: ${failed.message}`,
      hint: "read that side's build.log: the build depends on its environment",
    };
  }
  const [value, ...more] = held;
  const others = more.filter(({ a, b }) => a !== undefined && b !== undefined).map(({ id }) => id);
  if (value === undefined) {
    return {
      text: `no dimension's value stands in the artifacts${where}`,
      hint: "look at the bytes in the report; random numbers, seconds and the order of a map are usual causes",
    };
  }
  const also = others.length === 0 ? "" : `; values of ${others.join(", ")} stand in them too`;
  const about = dimensions.find(({ id }) => id === value.id)?.about ?? "";
  const said = [
    value.a === undefined ? "" : `A's holds ${JSON.stringify(value.a)}`,
    value.b === undefined ? "" : `B's holds ${JSON.stringify(value.b)}`,
  ].filter((text) => text !== "");
  return {
    cause: value.id,
    text: `the program depends on ${value.id} (${about}): ${said.join(", ")}${also}${where}`,
    hint: `find what writes it into the program; as a last resort fix it in the recipe: fix: {${value.id}: "why"}`,
  };
}
