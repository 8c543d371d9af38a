import { describe, expect, it } from "vitest";
import { sha256Of } from "../../../builder/digest.ts";
import { goLineFits, lintInputs, replacements } from "../../../builder/recipe/lint-inputs.ts";
import { lintLock } from "../../../builder/recipe/lint-lock.ts";
import { parseRecipe, recipeSha256 } from "../../../builder/recipe/load.ts";
import type { Recipe } from "../../../builder/recipe/schema.ts";
import { putBlob } from "../../../builder/store/store.ts";
import { openPlace } from "../../support/place.ts";
import { makeZip } from "../../support/zip-maker.ts";
import { h1Of, sampleLock, sampleWith, sampleYaml } from "./sample.ts";

const withC = sampleWith("build:", "compiler: {debian: trixie, packages: [gcc]}\nbuild:\n  cgo: true");

async function* once(bytes: Buffer) {
  yield await Promise.resolve(bytes);
}

async function codes(recipe: Recipe, names: readonly string[]): Promise<string[]> {
  await using place = await openPlace();
  const module = { path: "example.com/vm", version: "v1.0.0" };
  const bytes = makeZip(
    names.map((name) => ({ name: `${module.path}@${module.version}/${name}`, bytes: Buffer.from(name) })),
  );
  const zip = { ...(await putBlob(place.store, once(bytes), undefined, { maxBytes: 1e6 })), h1: h1Of("zip") };
  const goMod = { sha256: sha256Of("x"), sizeBytes: 1, h1: h1Of("x") };
  const lock = sampleLock(recipe, { modules: [{ ...module, goMod, zip }] });
  return (await lintInputs(recipe, lock, place.store, "x")).map(({ code, message }) => `${code} ${message}`);
}

describe("what the inputs say against a lock", () => {
  it("is a compiled library that nobody names, where C is linked", async () => {
    const [found, ...more] = await codes(parseRecipe(withC, "r.yaml"), ["go.mod", "lib/libvm.a", "x.go"]);
    expect(found).toBe("PREBUILT_CODE example.com/vm@v1.0.0 brings compiled code: lib/libvm.a");
    expect(more).toEqual([]);
  });

  it("is nothing where the recipe names it, with its digest, or where no C is linked; an object of Go's own kind always is", async () => {
    const named = `${withC}files: [{module: example.com/vm, path: lib/libvm.a, sha256: "${sha256Of("x")}", to: lib/libvm.a}]\n`;
    expect(await codes(parseRecipe(named, "r.yaml"), ["lib/libvm.a", "lib/libvm.so"])).toEqual([]);
    const plain = parseRecipe(sampleYaml, "r.yaml");
    expect(await codes(plain, ["lib/libvm.a"])).toEqual([]);
    expect(await codes(plain, ["rsrc_amd64.syso"])).toEqual([expect.stringContaining("PREBUILT_CODE")]);
  });

  it("is a go line above the pinned toolchain", () => {
    const lock = { go: { version: "1.25.7", toolchains: [] } };
    expect(goLineFits("module x\n\ngo 1.25.8\n", lock)).toMatchObject([{ severity: "error", code: "GO_TOO_OLD" }]);
    for (const line of ["go 1.25.7", "go 1.25", "go 1.9"]) expect(goLineFits(`${line}\n`, lock)).toEqual([]);
  });

  it("is a module that is replaced by another version of itself, not one that is replaced by a fork", () => {
    const goMod =
      "require (\n\tgithub.com/cosmos/cosmos-sdk v0.53.6\n\texample.com/a v1.0.0 // indirect\n)\n\n" +
      "replace (\n\tgithub.com/cosmos/cosmos-sdk => github.com/cosmos/cosmos-sdk v0.50.1\n\texample.com/a => example.com/fork v1.0.1\n)\n";
    expect(replacements(goMod)).toMatchObject([
      { code: "REQUIRED_REPLACED", message: expect.stringContaining("v0.53.6 and replaces it by v0.50.1") },
    ]);
  });
});

describe("a library that a repository publishes beside its module", () => {
  const recipe = parseRecipe(sampleYaml, "r.yaml");
  const loaded = { recipe, sha256: recipeSha256(recipe) };
  const wasmvm = {
    path: "github.com/CosmWasm/wasmvm/v2",
    version: "v2.3.4",
    goMod: { sha256: sha256Of("m"), sizeBytes: 1, h1: h1Of("m") },
    zip: { sha256: sha256Of("z"), sizeBytes: 1, h1: h1Of("z") },
  };
  const codesWith = (tag: string) => {
    const url = `https://github.com/CosmWasm/wasmvm/releases/download/${tag}/libwasmvm_muslc.x86_64.a`;
    const file = { url, to: "lib/libwasmvm_muslc.a", sha256: sha256Of("lib"), sizeBytes: 1 };
    const lock = sampleLock(recipe, { modules: [wasmvm], files: [file] });
    return lintLock({ lock, loaded }, "x").map(({ code }) => code);
  };
  it("must be of the version that the build uses", () => {
    expect(codesWith("v2.2.4")).toContain("LIBRARY_VERSION_DIFFERS");
    expect(codesWith("v2.3.4")).not.toContain("LIBRARY_VERSION_DIFFERS");
  });
});
