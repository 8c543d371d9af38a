import { TwinsealError } from "../errors.ts";
import type { Lock } from "./lock.ts";
import { modulePathPattern } from "./module-path.ts";

/** What a recipe may write in braces; everything comes from the lock and the recipe, never from the place of the build. */
export const placeholderNames = ["version", "commit", "commitDate", "tags"] as const;
export type PlaceholderName = (typeof placeholderNames)[number];

/** A placeholder that this source cannot give is absent. */
export type PlaceholderValues = Readonly<Partial<Record<PlaceholderName, string>>> & {
  /** Versions of the modules that the build can use, with their `v`; of `{version:PATH}`. */
  readonly modules?: ReadonlyMap<string, string>;
};

const placeholder = /\{([A-Za-z_][A-Za-z0-9_]*|version:[^\s{}]*)\}/g;
const MODULE_PREFIX = "version:";

/**
 * `version` as locked, `commit` in full hex, `commitDate` as RFC 3339 in UTC with seconds (2026-01-31T12:00:00Z), `tags`
 * joined by commas. A module source has no commit, a path source neither commit nor date. `version:PATH` is the version
 * of the one module of that path whose code the lock holds, after go.mod's replacements: those name the module by what it
 * is replaced with.
 */
export function placeholderValues(
  lock: Pick<Lock, "version" | "source" | "sourceDateEpoch" | "modules">,
  tags: readonly string[],
): PlaceholderValues {
  return {
    version: lock.version,
    ...(lock.source.kind === "git" ? { commit: lock.source.commit } : {}),
    ...(lock.sourceDateEpoch === undefined ? {} : { commitDate: rfc3339(lock.sourceDateEpoch) }),
    tags: tags.join(","),
    modules: moduleVersions(lock.modules),
  };
}

/** A path of which the lock holds two versions names neither, and a version that is none could be linker flags. */
function moduleVersions(modules: Lock["modules"]): ReadonlyMap<string, string> {
  const byPath = Map.groupBy(
    modules.filter(({ zip }) => zip !== undefined),
    ({ path }) => path,
  );
  return new Map(
    [...byPath].flatMap(([path, [one, another]]): [string, string][] =>
      one !== undefined && another === undefined && /^v[0-9A-Za-z.+-]+$/.test(one.version) ? [[path, one.version]] : [],
    ),
  );
}

/**
 * Replaces every placeholder once; a value that holds braces stays as it is. Splitting into arguments and quoting are
 * left to the go command. Throws `caller/PLACEHOLDER_UNKNOWN`.
 */
export function expandPlaceholders(text: string, values: PlaceholderValues): string {
  return text.replace(placeholder, (written, name: string) => {
    const value = isPlaceholder(name) ? values[name] : values.modules?.get(moduleOf(name) ?? "");
    if (value !== undefined) return value;
    if (moduleOf(name) !== undefined) {
      throw new TwinsealError("caller", "PLACEHOLDER_UNKNOWN", `${written}: the build uses no such module, or two`, {
        hint: "write the path as the lock has it; where go.mod replaces a module, that of its replacement",
      });
    }
    const known = placeholderNames.filter((one) => values[one] !== undefined).map((one) => `{${one}}`);
    throw new TwinsealError("caller", "PLACEHOLDER_UNKNOWN", `${written} in "${text}" has no value for this source`, {
      hint: `known here: ${known.join(" ")}`,
    });
  });
}

/** The placeholders that a text names and that are not among `allowed`, as written. */
export function unknownPlaceholders(text: string, allowed: readonly string[] = placeholderNames): string[] {
  return [...text.matchAll(placeholder)]
    .map(([, name = ""]) => name)
    .filter((name) => !allowed.includes(name) && !modulePathPattern.test(moduleOf(name) ?? ""))
    .map((name) => `{${name}}`);
}

function moduleOf(name: string): string | undefined {
  return name.startsWith(MODULE_PREFIX) ? name.slice(MODULE_PREFIX.length) : undefined;
}

function isPlaceholder(name: string): name is PlaceholderName {
  return placeholderNames.some((known) => known === name);
}

function rfc3339(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString().replace(/\.\d{3}Z$/, "Z");
}
