import type { z } from "zod";
import { nearestWord } from "./suggest.ts";
import type { Position, Problem } from "./problem.ts";
import type { YamlText } from "./yaml-text.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** What a schema says of a file, each at the place where it stands and with what to write instead. */
export function schemaProblems(
  issues: readonly Issue[],
  yaml: YamlText,
  keysAt: (path: Path) => readonly string[],
): Problem[] {
  return issues.flatMap((issue) => problemsOf(issue, [], yaml, keysAt));
}

function problemsOf(issue: Issue, parent: Path, yaml: YamlText, keysAt: (path: Path) => readonly string[]): Problem[] {
  const path = [...parent, ...issue.path];
  const name = nameOf(path);
  const at = yaml.positionOf(path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(key, path, yaml.positionOfKey(path, key), keysAt(path)));
    case "invalid_union":
      return meantVariant(issue.errors).flatMap((one) => problemsOf(one, path, yaml, keysAt));
    case "invalid_key":
      return issue.issues.map((one) => ({
        ...yaml.positionOfKey(path.slice(0, -1), String(path.at(-1))),
        what: `${name} ${one.message}`,
      }));
    case "invalid_type":
      return [wrongType(issue.expected, name, at, path, yaml)];
    case "invalid_value":
      return [wrongValue(issue.values, name, at, yaml.writtenAt(path))];
    case "too_small":
      // A message of the schema's own says more than ours.
      if (!issue.message.startsWith("Too small")) return [plain(issue.message, name, at)];
      return [
        {
          ...at,
          what:
            issue.origin === "array"
              ? `${name} needs at least ${String(issue.minimum)} entry`
              : `${name} must not be empty`,
        },
      ];
    case "custom":
    case "invalid_element":
    case "invalid_format":
    case "not_multiple_of":
    case "too_big":
      return [plain(issue.message, name, at)];
  }
}

/** A message of the schema's own: `what; what to write instead`. */
function plain(message: string, name: string, at: Position): Problem {
  const [what = "", ...hint] = message.split("; ");
  return {
    ...at,
    what: `${name}${/^an? /.test(what) ? ":" : ""} ${what}`,
    ...(hint.length === 0 ? {} : { hint: hint.join("; ") }),
  };
}

function unknownKey(key: string, path: Path, at: Position, known: readonly string[]): Problem {
  const near = nearestWord(key, known);
  const where = path.length === 0 ? "" : ` in ${nameOf(path)}`;
  const hint = near === undefined ? `known keys: ${known.join(", ")}` : `did you mean ${near}?`;
  return { ...at, what: `unknown key ${JSON.stringify(key)}${where}`, ...(known.length === 0 ? {} : { hint }) };
}

function wrongType(expected: string, name: string, at: Position, path: Path, yaml: YamlText): Problem {
  const value = valueAt(yaml.value, path);
  const key = String(path.at(-1));
  if (value === undefined)
    return {
      ...at,
      what: `${name} is missing`,
      hint: `add ${typeof path.at(-1) === "number" ? "an entry" : `${key}:`}`,
    };
  const found = describe(value);
  if (expected === "string" && (value === null || typeof value !== "object")) {
    const written = yaml.writtenAt(path) ?? "";
    if (value === null && written.trim() === "")
      return { ...at, what: `${name} is empty`, hint: "write its value after the colon" };
    const quoted = JSON.stringify(written);
    return {
      ...at,
      what: `${name} is ${found} here`,
      hint: `write it in quotes: ${typeof path.at(-1) === "number" ? quoted : `${key}: ${quoted}`}`,
    };
  }
  const words: Readonly<Record<string, string>> = {
    object: "keys and values",
    record: "keys and values",
    array: "a list",
    tuple: "a list",
    boolean: "true or false",
    string: "text",
  };
  const written = yaml.writtenAt(path);
  const listed = expected === "array" || expected === "tuple";
  return {
    ...at,
    what: `${name} must be ${words[expected] ?? expected}, and is ${found}`,
    ...(listed && written !== undefined
      ? {
          hint: `write ${typeof path.at(-1) === "number" ? "" : `${key}: `}[${written.trim().split(/\s+/).join(", ")}]`,
        }
      : {}),
  };
}

function wrongValue(values: readonly unknown[], name: string, at: Position, written: string | undefined): Problem {
  const known = values.map(String);
  if (written === undefined) return { ...at, what: `${name} must be ${known.join(" or ")}` };
  const near = nearestWord(written, known);
  const hint =
    near === undefined || known.length === 1
      ? `write ${known.length === 1 ? known.join() : `one of ${known.join(", ")}`}`
      : `did you mean ${near}?`;
  return { ...at, what: `${name} cannot be ${JSON.stringify(written)}`, hint };
}

/** Of the variants that all failed, the one that the writer most likely had in mind: what needs the fewest changes. */
function meantVariant(variants: readonly (readonly Issue[])[]): readonly Issue[] {
  const cost = (issues: readonly Issue[]) =>
    issues.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? 1.5 * issue.keys.length : 1), 0);
  return variants.toSorted((a, b) => cost(a) - cost(b))[0] ?? [];
}

/** `build.tags[0]`, as people write a path. */
function nameOf(path: Path): string {
  if (path.length === 0) return "the recipe";
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`))
    .join("");
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

function describe(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "keys and values" : typeof value === "string" ? "text" : `a ${typeof value}`;
}
