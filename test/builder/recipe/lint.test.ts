import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canonicalJsonText } from "../../../builder/canonical-json.ts";
import { lintLock } from "../../../builder/recipe/lint-lock.ts";
import { lintRecipe } from "../../../builder/recipe/lint-recipe.ts";
import { lintRecipes } from "../../../builder/recipe/lint.ts";
import { parseRecipe, recipeSha256 } from "../../../builder/recipe/load.ts";
import type { Lock } from "../../../builder/recipe/lock.ts";
import { packageRoot, runProgram } from "../../cli/program.ts";
import { sampleLock, sampleWith, sampleYaml } from "./sample.ts";

const recipe = parseRecipe(sampleYaml, "r.yaml");
const loaded = { recipe, sha256: recipeSha256(recipe) };
const good = sampleLock(recipe);

function codesOf(changes: Partial<Lock>): string[] {
  return lintLock({ lock: { ...good, ...changes }, loaded }, "x").map(
    (finding) => `${finding.severity} ${finding.code}`,
  );
}

describe("a lock", () => {
  test("as pin writes it has nothing to say", () => {
    expect(codesOf({})).toEqual([]);
  });

  const [amd64, arm64] = good.go.toolchains;
  const [first, second] = good.modules;
  if (amd64 === undefined || arm64 === undefined || first === undefined || second === undefined)
    throw new Error("the sample lock is too small");
  const file = { url: "https://h/f", to: "gen/f", sha256: amd64.zip.sha256, sizeBytes: 1 };
  test.each<[string, Partial<Lock>, string[]]>([
    ["made from another recipe", { recipe: { sha256: amd64.zip.sha256 } }, ["error LOCK_STALE"]],
    [
      "of another module",
      { source: { ...good.source, path: "example.com/evil" } as Lock["source"] },
      ["error SOURCE_DIFFERS"],
    ],
    ["of another kind of source", { source: { kind: "path", path: "." } }, ["error SOURCE_DIFFERS"]],
    [
      "with another Go",
      { go: { version: "1.25.8", toolchains: good.go.toolchains } },
      ["error GO_DIFFERS", "error TOOLCHAIN_DIFFERS", "error TOOLCHAIN_DIFFERS"],
    ],
    [
      "with another platform's toolchain",
      { go: { version: "1.25.7", toolchains: [amd64, { ...arm64, version: amd64.version }] } },
      ["error TOOLCHAIN_DIFFERS"],
    ],
    ["for one host only", { go: { version: "1.25.7", toolchains: [amd64] } }, ["warning HOST_NOT_LOCKED"]],
    [
      "with two toolchains for a host",
      { go: { version: "1.25.7", toolchains: [amd64, amd64, arm64] } },
      ["error HOST_TWICE"],
    ],
    ["with a module twice", { modules: [first, first, second] }, ["error MODULE_TWICE"]],
    ["with modules out of order", { modules: [second, first] }, ["error MODULES_UNSORTED"]],
    [
      "with a compiler that the recipe does not name",
      {
        compiler: {
          kind: "image",
          host: "linux/amd64",
          image: `registry.example.test/gcc@sha256:${amd64.zip.sha256}`,
          manifest: { ...amd64.zip, mediaType: "m" },
          config: amd64.zip,
          layers: [{ ...amd64.zip, mediaType: "l" }],
          rootfs: { sha256: amd64.zip.sha256, files: 1, sizeBytes: 1 },
        },
      },
      ["error COMPILER_DIFFERS"],
    ],
    ["with files that the recipe does not name", { files: [file] }, ["error FILES_DIFFER"]],
    [
      "with files in one place",
      { files: [file, { ...file, to: "gen/F" }] },
      ["error PLACES_CLASH", "error FILES_DIFFER"],
    ],
    [
      "with a file where a directory is",
      { files: [file, { ...file, to: "./gen" }] },
      ["error PLACES_CLASH", "error FILES_DIFFER"],
    ],
    [
      "that holds a URL to fetch from",
      { modules: [{ ...first, version: "https://mirror.example/a.zip" }, second] },
      ["error LOCK_HOLDS_PLACE"],
    ],
    [
      "that holds a path of somebody's machine",
      { modules: [{ ...first, version: "/home/me/a" }, second] },
      ["error LOCK_HOLDS_PLACE"],
    ],
  ])("%s", (_name, changes, codes) => {
    expect(codesOf(changes)).toEqual(codes);
  });

  test("whose date is missing cannot fill the recipe's placeholder", () => {
    const dated = parseRecipe(sampleWith("{version}", "{commitDate}"), "r.yaml");
    const { sourceDateEpoch: _date, ...lock } = sampleLock(dated);
    expect(lintLock({ lock, loaded: { recipe: dated, sha256: recipeSha256(dated) } }, "x")).toMatchObject([
      { code: "PLACEHOLDER_UNKNOWN" },
    ]);
  });
});

describe("a recipe", () => {
  test("that keeps the build id is worth a warning", () => {
    expect(lintRecipe(recipe, "x")).toEqual([]);
    expect(lintRecipe(parseRecipe(sampleWith(" -buildid=", ""), "x"), "x")).toMatchObject([
      { severity: "warning", code: "BUILD_ID_KEPT" },
    ]);
  });

  test("that puts two files in one place is wrong, also on a disk without case", () => {
    const files = ["gen/a", "gen/A"]
      .map((to) => `{url: "https://h/f", sha256: ${"a".repeat(64)}, to: ${to}}`)
      .join(", ");
    expect(lintRecipe(parseRecipe(`${sampleYaml}files: [${files}]\n`, "x"), "x")).toMatchObject([
      { severity: "error", code: "PLACES_CLASH" },
    ]);
  });
});

describe("the files", () => {
  let root = "";
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "twinseal-lint-"));
  });
  afterEach(() => rm(root, { recursive: true }));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const codes = async (...names: string[]) => {
    const lint = await lintRecipes(names, { cwd: join(root, "here"), manifestsDir: join(root, "manifests") });
    return lint.findings.map((finding) => finding.code);
  };

  test("of a good recipe and lock have nothing to say", async () => {
    await write("manifests/app/recipe.yaml", sampleYaml);
    await write("manifests/app/1.2.3.lock.json", canonicalJsonText(good));
    expect(await codes()).toEqual([]);
  });

  test("must be named for what is in them", async () => {
    await write("manifests/ap/recipe.yaml", sampleYaml);
    await write("manifests/ap/1.2.4.lock.json", canonicalJsonText(good));
    expect(await codes("ap")).toEqual(["NAME_DIFFERS", "LOCK_NAME_DIFFERS"]);
  });

  test("that are broken are findings with their line, and do not hide those of others", async () => {
    await write("manifests/a/recipe.yaml", sampleYaml.replace("name: app", "nam: a"));
    await write("manifests/app/recipe.yaml", sampleYaml);
    await write("manifests/app/1.2.3.lock.json", canonicalJsonText(good).replace("  ", "   "));
    await write("manifests/app/1.2.4.lock.json", "{");
    const lint = await lintRecipes([], { cwd: root, manifestsDir: join(root, "manifests") });
    expect(lint.findings).toMatchObject([
      { code: "RECIPE_INVALID", line: 1 },
      { code: "RECIPE_INVALID", line: 2, column: 1, hint: "did you mean name?" },
      { code: "LOCK_NOT_CANONICAL", line: 2, path: join(root, "manifests/app/1.2.3.lock.json") },
      { code: "LOCK_INVALID" },
    ]);
  });

  test("of a project are checked where one stands in it", async () => {
    await write("here/twinseal.yaml", sampleYaml);
    await write("manifests/other/recipe.yaml", "nonsense");
    expect(await codes()).toEqual(["LOCK_MISSING"]);
  });

  test("of a version that is not pinned are an error when that version is asked for", async () => {
    await write("manifests/app/recipe.yaml", sampleYaml);
    expect(await codes("app@7.0.0")).toEqual(["LOCK_UNREADABLE"]);
  });

  test("through the command: warnings are exit 0, errors exit 2, with --json one document", async () => {
    await write("here/twinseal.yaml", sampleYaml);
    expect(await runProgram(["check"], { cwd: join(root, "here") })).toMatchObject({ code: 0, stdout: "" });
    await write("here/twinseal.yaml", sampleWith('"1.25.7"', "1.20"));
    const told = await runProgram(["check"], { cwd: join(root, "here") });
    expect(told).toMatchObject({ code: 2, stdout: "" });
    expect(told.stderr).toContain('twinseal.yaml:4:5: error: go is a number here; write it in quotes: go: "1.20"\n');
    const json = await runProgram(["check", "--json"], { cwd: join(root, "here") });
    expect(JSON.parse(json.stdout)).toMatchObject({
      code: "check-failed",
      exitCode: 2,
      findings: [{ path: "twinseal.yaml", line: 4 }],
    });
  });
});

test("this project's own recipes and locks have no errors", async () => {
  const lint = await lintRecipes([], {
    cwd: join(packageRoot, "manifests"),
    manifestsDir: join(packageRoot, "manifests"),
  });
  expect(lint.recipes.length).toBeGreaterThanOrEqual(7);
  expect(lint.findings.filter((finding) => finding.severity === "error")).toEqual([]);
});
