import { describe, expect, test } from "vitest";
import { expandPlaceholders, placeholderValues, unknownPlaceholders } from "../../../builder/recipe/placeholders.ts";
import { parseRecipe } from "../../../builder/recipe/load.ts";
import { sampleLock, sampleYaml } from "./sample.ts";

const moduleLock = sampleLock(parseRecipe(sampleYaml, "r.yaml"));
const commit = "0123456789abcdef0123456789abcdef01234567";
const gitLock = {
  ...moduleLock,
  source: {
    kind: "git" as const,
    url: "https://h/r",
    tag: "v1.2.3",
    oid: commit,
    commit,
    tree: commit,
    archive: { sha256: moduleLock.recipe.sha256, sizeBytes: 1 },
  },
};
const { sourceDateEpoch: _date, ...undated } = moduleLock;
const pathLock = { ...undated, source: { kind: "path" as const, path: "." } };

describe("values come from the lock", () => {
  test("all four with a git source, the date in UTC with seconds", () => {
    const text = expandPlaceholders(
      "{version} {commit} {commitDate} {tags}",
      placeholderValues(gitLock, ["netgo", "osusergo"]),
    );
    expect(text).toBe(`1.2.3 ${commit} 2023-11-14T22:13:20Z netgo,osusergo`);
  });

  test.each([
    ["{commit} with a module source", "{commit}", moduleLock],
    ["{commit} with a path source", "{commit}", pathLock],
    ["{commitDate} with a path source", "{commitDate}", pathLock],
    ["an unknown word", "{branch}", gitLock],
    ["a name that every object has", "{constructor}", gitLock],
  ])("%s is the caller's mistake, and the known ones are listed", (_name, text, lock) => {
    const attempt = () => expandPlaceholders(`-X main.a=${text}`, placeholderValues(lock, []));
    expect(attempt).toThrow(
      expect.objectContaining({
        kind: "caller",
        code: "PLACEHOLDER_UNKNOWN",
        hint: expect.stringContaining("{version}"),
      }),
    );
  });
});

describe("{version:MODULE}", () => {
  const [first, second] = moduleLock.modules;
  if (first === undefined || second === undefined) throw new Error("the sample has two modules");
  const values = placeholderValues(moduleLock, []);

  test("is the version of the module whose code the lock holds", () => {
    expect(expandPlaceholders("-X a.b={version:example.com/a}", values)).toBe("-X a.b=v1.0.0");
    expect(
      unknownPlaceholders("{version:example.com/a} {version:} {version:no-path} {versions:example.com/a}"),
    ).toEqual(["{version:}", "{version:no-path}"]);
  });

  test("is refused for a module that is not there, is there twice, of which only the go.mod counts, or whose version is none", () => {
    const twice = [first, { ...first, version: "v2.0.0" }];
    const { zip: _zip, ...bare } = first;
    const flags = [{ ...first, version: "v1.0.0 -extld=/x" }];
    for (const modules of [[second], twice, [bare, second], flags]) {
      const attempt = () =>
        expandPlaceholders("{version:example.com/a}", placeholderValues({ ...moduleLock, modules }, []));
      expect(attempt).toThrow(
        expect.objectContaining({
          code: "PLACEHOLDER_UNKNOWN",
          message: expect.stringContaining("{version:example.com/a}"),
        }),
      );
    }
  });
});

test("a value that holds braces is not expanded again", () => {
  expect(expandPlaceholders("{version} {tags}", { version: "{tags}", tags: "$&" })).toBe("{tags} $&");
});

test("quotes, spaces and braces that are no placeholder stay for the go command to read", () => {
  const text = `-X 'main.a={"b": 1}' {} { version }`;
  expect(expandPlaceholders(text, placeholderValues(gitLock, []))).toBe(text);
  expect(unknownPlaceholders(text)).toEqual([]);
});
