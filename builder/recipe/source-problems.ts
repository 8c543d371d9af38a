import type { Problem } from "./problem.ts";
import { sourceKinds } from "./source-schema.ts";
import { nearestWord } from "./suggest.ts";
import type { YamlText } from "./yaml-text.ts";

/** What the union of the source's kinds cannot say well: none chosen, or several. */
export function sourceProblems(yaml: YamlText): Problem[] {
  const value = yaml.value;
  if (typeof value !== "object" || value === null || !("source" in value)) return [];
  const { source } = value;
  const at = yaml.positionOf(["source"]);
  if (typeof source !== "object" || source === null || Array.isArray(source)) {
    return [
      {
        ...at,
        what: "source must say where the code comes from",
        hint: "write for example source: {module: github.com/owner/repo}",
      },
    ];
  }
  const keys = Object.keys(source);
  const chosen = sourceKinds.filter((kind) => keys.includes(kind));
  const [first, second] = chosen;
  if (second !== undefined) {
    return [
      {
        ...yaml.positionOfKey(["source"], second),
        what: `source has ${chosen.join(" and ")}`,
        hint: `keep one of them`,
      },
    ];
  }
  if (first !== undefined) return [];
  const near = keys.map((key) => ({ key, kind: nearestWord(key, sourceKinds) })).find(({ kind }) => kind !== undefined);
  if (near?.kind !== undefined) {
    return [
      {
        ...yaml.positionOfKey(["source"], near.key),
        what: `unknown key ${JSON.stringify(near.key)} in source`,
        hint: `did you mean ${near.kind}?`,
      },
    ];
  }
  return [
    {
      ...at,
      what: `source has none of ${sourceKinds.join(", ")}`,
      hint: "write for example source: {module: github.com/owner/repo}",
    },
  ];
}
