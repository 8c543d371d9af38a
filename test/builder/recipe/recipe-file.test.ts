import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadRecipe, readRecipe } from "../../../builder/recipe/load.ts";
import { sampleWith, sampleYaml } from "./sample.ts";

test("whatever a file holds, it is a recipe or a list of problems with places, never an exception", () => {
  const lines = sampleYaml.split("\n");
  const piece = fc.oneof(
    fc.constantFrom(...lines, "{", "[", ": ", "- ", "&a", "*a", "!!x", "---", "\t", "'", '"', "? ", "|", "\u0000"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom("\n", " ", ""), (pieces, glue) => {
      const read = readRecipe(pieces.join(glue));
      if ("recipe" in read) return;
      expect(read.problems.length).toBeGreaterThan(0);
      for (const problem of read.problems) expect(Math.min(problem.line, problem.column)).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});

describe("a recipe's file", () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "twinseal-load-"));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const load = async (name: string, bytes: string | Uint8Array) => {
    const path = join(dir, name);
    await writeFile(path, bytes);
    return loadRecipe(path);
  };

  test("has the same digest whatever its comments, quotes and order of keys", async () => {
    const plain = await load("a.yaml", sampleYaml);
    const [first = "", second = "", ...rest] = sampleYaml.split("\n");
    const other = await load("b.yaml", ["# a comment", second.replace("app", "'app'"), first, ...rest].join("\n"));
    expect(other.sha256).toBe(plain.sha256);
    expect(plain.dir).toBe(dir);
  });

  test("has another digest when anything in it changes", async () => {
    const plain = await load("a.yaml", sampleYaml);
    expect((await load("b.yaml", sampleWith("-s -w", "-s"))).sha256).not.toBe(plain.sha256);
  });

  test("must be there, be a file, and be UTF-8", async () => {
    await mkdir(join(dir, "d.yaml"));
    await expect(loadRecipe(join(dir, "none.yaml"))).rejects.toMatchObject({
      kind: "caller",
      code: "RECIPE_UNREADABLE",
    });
    await expect(loadRecipe(join(dir, "d.yaml"))).rejects.toMatchObject({ kind: "caller", code: "RECIPE_UNREADABLE" });
    await expect(load("c.yaml", Buffer.from([0x61, 0xff, 0xfe]))).rejects.toMatchObject({
      kind: "caller",
      code: "RECIPE_UNREADABLE",
    });
  });

  test("is not read beyond its size limit", async () => {
    await expect(load("big.yaml", Buffer.alloc(64 << 20, "#"))).rejects.toMatchObject({ code: "RECIPE_INVALID" });
  });
});
