import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canonicalJsonText } from "../../../builder/canonical-json.ts";
import { loadLocked } from "../../../builder/recipe/load-locked.ts";
import { parseRecipe } from "../../../builder/recipe/load.ts";
import type { Lock } from "../../../builder/recipe/lock.ts";
import { sampleLock, sampleYaml } from "./sample.ts";

async function load(changes: Partial<Lock>) {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-locked-"));
  try {
    const good = sampleLock(parseRecipe(sampleYaml, "r.yaml"));
    const found = {
      name: "app",
      version: good.version,
      recipePath: join(dir, "recipe.yaml"),
      lockPath: join(dir, `${good.version}.lock.json`),
    };
    await writeFile(found.recipePath, sampleYaml);
    await writeFile(found.lockPath, canonicalJsonText({ ...good, ...changes }));
    return await loadLocked(found);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

describe("a recipe with its lock", () => {
  it("is read as pin wrote it", async () => {
    expect((await load({})).lock.name).toBe("app");
  });

  it.each<[string, Partial<Lock>, RegExp]>([
    ["another version than its file name", { version: "9.9.9" }, /is for version 9\.9\.9/],
    ["another source", { source: { kind: "path", path: "other" } }, /source is not the recipe's/],
    ["another Go", { go: { version: "1.25.8", toolchains: [] } }, /./],
  ])("is refused with %s, though the recipe's digest fits", async (_what, changes, why) => {
    await expect(load(changes)).rejects.toMatchObject({
      kind: "caller",
      code: "LOCK_INVALID",
      message: expect.stringMatching(why),
    });
  });
});
