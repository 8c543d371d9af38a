import { describe, expect, test } from "vitest";
import { parseRecipe, loadedOfVersion, recipeSha256 } from "../../../builder/recipe/load.ts";
import { recipeOfVersion } from "../../../builder/recipe/schema.ts";
import { lintRecipe } from "../../../builder/recipe/lint-recipe.ts";
import { sampleYaml } from "./sample.ts";

const parse = (more: string) => parseRecipe(`${sampleYaml}${more}`, "r.yaml");
const recipe = parse(`perVersion:
  - {from: "26", go: "1.25.9", build: {tags: [new], env: {CGO_CFLAGS: -O2}}}
  - {from: "28.1", build: {tags: [newest]}}
`);

describe("keys that differ between versions", () => {
  test.each([
    ["25.9.9", "1.25.7", undefined, undefined],
    ["26.0.0-rc1", "1.25.9", ["new"], { CGO_CFLAGS: "-O2" }],
    ["26.0.0", "1.25.9", ["new"], { CGO_CFLAGS: "-O2" }],
    ["28.0.9", "1.25.9", ["new"], { CGO_CFLAGS: "-O2" }],
    ["28.1.0", "1.25.7", ["newest"], undefined],
    ["100.0.0", "1.25.7", ["newest"], undefined],
  ])("%s has the keys of the last entry that is not above it, and of no other", (version, go, tags, env) => {
    const one = recipeOfVersion(recipe, version);
    expect(one).toMatchObject({ go, build: { package: "./cmd/app" } });
    expect([one.build.tags, one.build.env]).toEqual([tags, env]);
    expect(one).not.toHaveProperty("perVersion");
  });

  test("an entry for other versions leaves a version's digest as it is, and with it its lock", () => {
    const loaded = { recipe, sha256: recipeSha256(recipe), path: "r.yaml", dir: "." };
    const plain = parse("");
    expect(loadedOfVersion(loaded, "25.0.0").sha256).toBe(recipeSha256(plain));
    expect(loadedOfVersion(loaded, "26.0.0").sha256).not.toBe(recipeSha256(plain));
    const more = parse(`perVersion: [{from: "26", go: "1.25.9", build: {tags: [new], env: {CGO_CFLAGS: -O2}}}]\n`);
    const loadedMore = { ...loaded, recipe: more };
    expect(loadedOfVersion(loadedMore, "26.0.0").sha256).toBe(loadedOfVersion(loaded, "26.0.0").sha256);
  });

  test("are looked at by the rules for recipes as the recipe's own are", () => {
    const file = (to: string) => `{url: "https://h/f", sha256: "${"a".repeat(64)}", to: ${to}}`;
    const one = parse(`perVersion: [{from: "26", build: {ldflags: -s}, files: [${file("a")}, ${file("a/b")}]}]\n`);
    expect(lintRecipe(one, "r.yaml").map(({ code }) => code)).toEqual(["BUILD_ID_KEPT", "PLACES_CLASH"]);
  });

  test.each([
    ["a wrong order", `[{from: "28"}, {from: "26"}]`, /perVersion must be in ascending order/],
    ["a version twice", `[{from: "26"}, {from: "26.0.0"}]`, /perVersion must be in ascending order/],
    ["a number for a version", `[{from: 26}]`, /perVersion\[0\]\.from is a number here/],
    ["an unknown key", `[{from: "26", tags: [a]}]`, /unknown key "tags" in perVersion\[0\]/],
    ["what makes the recipe of a version invalid", `[{from: "26", build: {cgo: true}}]`, /perVersion\[0\]\.build\.cgo/],
    ["a variable that is ours", `[{from: "26", build: {env: {GOFLAGS: -x}}}]`, /perVersion\[0\]\.build\.env\.GOFLAGS/],
    ["flags that are not allowed", `[{from: "26", build: {ldflags: -extld=x}}]`, /perVersion\[0\]\.build\.ldflags/],
  ])("%s is refused where it stands", (_what, text, message) => {
    expect(() => parse(`perVersion: ${text}\n`)).toThrow(
      expect.objectContaining({ code: "RECIPE_INVALID", message: expect.stringMatching(message) }),
    );
  });
});
