import { compareVersions } from "./version-order.ts";

/** A tag pattern that fits a project's tags, and the newest version under it. */
export type TagPattern = { readonly pattern: string; readonly version: string };

const version = /^(.*?)(\d+\.\d+(?:\.\d+)?(?:-[0-9A-Za-z.-]+)?)$/;

/**
 * The pattern of the tags: `v{version}`, for a module in a subdirectory `dir/v{version}` as the go command wants it. Of
 * several the go command's first, then the most frequent. Undefined when no tag looks like a version.
 */
export function findTagPattern(tags: readonly string[], dir: string): TagPattern | undefined {
  const versionsOf = new Map<string, string[]>();
  for (const tag of tags) {
    const [, prefix, number] = version.exec(tag) ?? [];
    if (prefix === undefined || number === undefined || /[^A-Za-z0-9._/-]|\d$/.test(prefix)) continue;
    versionsOf.set(prefix, [...(versionsOf.get(prefix) ?? []), number]);
  }
  const usual = dir === "." ? "v" : `${dir}/v`;
  const ranked = [...versionsOf].toSorted(
    ([a, left], [b, right]) =>
      Number(b === usual) - Number(a === usual) || right.length - left.length || (a < b ? -1 : 1),
  );
  const [prefix, versions] = ranked[0] ?? [];
  const newest = newestVersion(versions ?? []);
  return prefix === undefined || newest === undefined ? undefined : { pattern: `${prefix}{version}`, version: newest };
}

/** The newest release; the newest pre-release where there is no release. */
function newestVersion(versions: readonly string[]): string | undefined {
  const sorted = versions.toSorted(compareVersions);
  return sorted.findLast((one) => !one.includes("-")) ?? sorted.at(-1);
}
