import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canonicalJsonText } from "../../../builder/canonical-json.ts";
import { findRecipe, placeRecipe } from "../../../builder/recipe/catalog.ts";
import { parseRecipe } from "../../../builder/recipe/load.ts";
import { compareVersions } from "../../../builder/recipe/version-order.ts";
import { sampleLock, sampleWith, sampleYaml } from "./sample.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "twinseal-catalog-"));
});
afterEach(() => rm(root, { recursive: true }));

const deps = () => ({ cwd: join(root, "here"), manifestsDir: join(root, "manifests") });

async function write(path: string, text = ""): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

describe("a name", () => {
  test("takes the newest of its locks, a release before its pre-releases", async () => {
    await write("manifests/app/recipe.yaml", sampleYaml);
    for (const version of ["1.9.0", "1.10.0", "1.10.1-rc2", "1.2.30"])
      await write(`manifests/app/${version}.lock.json`);
    expect(await findRecipe("app", deps())).toMatchObject({ name: "app", version: "1.10.1-rc2" });
    await write("manifests/app/1.10.1.lock.json");
    expect(await findRecipe("app", deps())).toMatchObject({
      version: "1.10.1",
      lockPath: join(root, "manifests/app/1.10.1.lock.json"),
    });
  });

  test("with a version takes that one", async () => {
    await write("manifests/app/recipe.yaml", sampleYaml);
    await write("manifests/app/1.0.0.lock.json");
    await write("manifests/app/2.0.0.lock.json");
    expect(await findRecipe("app@1.0.0", deps())).toMatchObject({ version: "1.0.0" });
    await expect(findRecipe("app@3.0.0", deps())).rejects.toMatchObject({
      kind: "caller",
      code: "LOCK_MISSING",
      hint: "run twinseal pin app@3.0.0, or take 2.0.0, 1.0.0",
    });
  });

  test("that has no lock says to pin, and can still be placed for that", async () => {
    await write("manifests/app/recipe.yaml", sampleYaml);
    await expect(findRecipe("app", deps())).rejects.toMatchObject({
      code: "LOCK_MISSING",
      hint: "run twinseal pin app@<version>",
    });
    const place = await placeRecipe("app@1.0.0", deps());
    expect(place.lockPathOf("1.0.0")).toBe(join(root, "manifests/app/1.0.0.lock.json"));
  });

  test("that is unknown is the caller's mistake, with the nearest known one", async () => {
    await write("manifests/node_exporter/recipe.yaml", sampleYaml);
    await expect(findRecipe("node-exporter", deps())).rejects.toMatchObject({
      kind: "caller",
      code: "RECIPE_UNKNOWN",
      hint: "did you mean node_exporter?",
    });
    await expect(findRecipe("zzz", deps())).rejects.toMatchObject({
      hint: expect.stringContaining("known: node_exporter"),
    });
  });

  test.each([
    "../app",
    "app/../../etc",
    "/etc",
    "app@../../x",
    "app@1..2",
    "-rf",
    "app@",
    "App",
    "a b",
    "app@1.0/../x",
  ])("cannot be %j, which leads elsewhere", async (spec) => {
    await expect(findRecipe(spec, deps())).rejects.toMatchObject({ kind: "caller", code: "SPEC_INVALID" });
  });
});

describe("the working directory's own recipe", () => {
  const lock = canonicalJsonText(sampleLock(parseRecipe(sampleYaml, "r.yaml")));

  test("is meant without a name, and its lock tells the version", async () => {
    await write("here/twinseal.yaml", sampleYaml);
    await write("here/twinseal.lock.json", lock);
    expect(await findRecipe(undefined, deps())).toEqual({
      name: "app",
      version: "1.2.3",
      recipePath: join(root, "here/twinseal.yaml"),
      lockPath: join(root, "here/twinseal.lock.json"),
    });
    await expect(findRecipe("app@2.0.0", deps())).rejects.toMatchObject({ code: "LOCK_MISSING" });
  });

  test("is meant by its name, also where the manifests have that name", async () => {
    await write("here/twinseal.yaml", sampleYaml);
    await write("here/twinseal.lock.json", lock);
    await write("manifests/app/recipe.yaml", sampleYaml);
    await write("manifests/app/9.0.0.lock.json");
    expect(await findRecipe("app", deps())).toMatchObject({ version: "1.2.3" });
  });

  test("does not stand in the way of another recipe when it is broken", async () => {
    await write("here/twinseal.yaml", "nonsense");
    await write("manifests/app/recipe.yaml", sampleYaml);
    await write("manifests/app/9.0.0.lock.json");
    expect(await findRecipe("app", deps())).toMatchObject({ version: "9.0.0" });
    await expect(findRecipe(undefined, deps())).rejects.toMatchObject({ code: "RECIPE_INVALID" });
  });

  test("that is not there is the caller's mistake, with what to do", async () => {
    await write("manifests/app/recipe.yaml", sampleWith("app", "app"));
    await expect(findRecipe(undefined, deps())).rejects.toMatchObject({
      code: "RECIPE_UNKNOWN",
      hint: expect.stringContaining("init"),
    });
  });
});

describe("versions are ordered as Semantic Versioning says", () => {
  test("the example of its section 11, and numbers by value", () => {
    const sorted = [
      "0.9.0",
      "0.10.0",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.1",
      "2.0.0",
      "10.0.0",
    ];
    expect(sorted.toReversed().toSorted(compareVersions)).toEqual(sorted);
  });

  test("the order is total and agrees with itself", () => {
    const part = fc.constantFrom("0", "1", "2", "10", "rc1", "a", "99999999999999999999");
    const version = fc
      .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), fc.option(part))
      .map(([core, pre]) => core.join(".") + (pre === null ? "" : `-${pre}`));
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});
