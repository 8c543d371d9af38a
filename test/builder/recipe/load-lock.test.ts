import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJsonText } from "../../../builder/canonical-json.ts";
import { TwinsealError } from "../../../builder/errors.ts";
import { assertLockFits, loadLock, lockDigest, parseLock } from "../../../builder/recipe/load-lock.ts";
import { parseRecipe, recipeSha256 } from "../../../builder/recipe/load.ts";
import type { Recipe } from "../../../builder/recipe/schema.ts";
import { sampleLock, sampleWith, sampleYaml } from "./sample.ts";

const recipe = parseRecipe(sampleYaml, "r.yaml");
const lock = sampleLock(recipe);
const text = canonicalJsonText(lock);

function refusal(content: string): TwinsealError {
  try {
    parseLock(content, "x.lock.json");
  } catch (error) {
    if (error instanceof TwinsealError) return error;
    throw error;
  }
  throw new Error("the lock was accepted");
}

const loadedFrom = (one: Recipe) => ({ recipe: one, sha256: recipeSha256(one), path: "r.yaml" });

test("what was written is read", async () => {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-lock-"));
  try {
    const path = join(dir, "1.2.3.lock.json");
    await writeFile(path, text);
    expect(await loadLock(path)).toEqual(lock);
    await expect(loadLock(join(dir, "none"))).rejects.toMatchObject({ kind: "caller", code: "LOCK_UNREADABLE" });
  } finally {
    await rm(dir, { recursive: true });
  }
});

describe("an edited lock is refused", () => {
  test.each([
    [
      "white space",
      text.replace('"lock": 1', '"lock":  1'),
      /^x\.lock\.json:\d+: these are not the bytes that pin writes/,
    ],
    ["a missing final newline", text.trimEnd(), /^x\.lock\.json:\d+: these are not the bytes/],
    ["something after it", `${text}\n`, /^x\.lock\.json:\d+: these are not the bytes/],
    [
      "another order of keys",
      JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).toReversed()), null, 2),
      /^x\.lock\.json:2: these are not/,
    ],
    ["an escape where pin writes none", text.replace('"app"', String.raw`"\u0061pp"`), /these are not the bytes/],
    [
      "a duplicate key",
      text.replace('  "lock": 1,', '  "lock": 1,\n  "lock": 1,'),
      /^x\.lock\.json:\d+: this key is there twice/,
    ],
  ])("%s", (_name, content, message) => {
    const error = refusal(content);
    expect([error.kind, error.code]).toEqual(["caller", "LOCK_NOT_CANONICAL"]);
    expect(error.message).toMatch(message);
    expect(error.hint).toContain("pin");
  });

  test("any byte of it changed is noticed, or is another lock with another digest", () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (offset, code) => {
        const changed = text.slice(0, offset) + String.fromCharCode(code) + text.slice(offset + 1);
        if (changed === text) return;
        try {
          expect(lockDigest(parseLock(changed, "x"))).not.toBe(lockDigest(lock));
        } catch (error) {
          expect(error).toBeInstanceOf(TwinsealError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a lock that is none is refused with its JSON path", () => {
  test.each([
    ["no JSON", "{", "it is not JSON"],
    [
      "a digest cut short",
      text.replace(/("sha256": ")[0-9a-f]/, "$1"),
      "$.go.toolchains[0].zip.sha256: a sha256 is 64 lower-case hex digits",
    ],
    ["an unknown key", text.replace('  "lock": 1,', '  "lock": 1,\n  "mirror": "x",'), "$: unrecognized key"],
    ["another version of the format", text.replace('"lock": 1', '"lock": 2'), "$.lock: "],
    [
      "a version that is a path",
      text.replace('"version": "1.2.3"', '"version": "../1"'),
      "$.version: is not a version",
    ],
  ])("%s", (_name, content, message) => {
    const error = refusal(content);
    expect([error.kind, error.code]).toEqual(["caller", "LOCK_INVALID"]);
    expect(error.message).toContain(message);
  });
});

describe("a lock fits its recipe only", () => {
  test("it does when nothing but comments changed", () => {
    expect(() => assertLockFits(lock, loadedFrom(parseRecipe(`# reviewed\n${sampleYaml}`, "r.yaml")))).not.toThrow();
  });

  test.each([
    ["another flag", sampleWith("-s -w", "-s")],
    ["another name", sampleWith("name: app", "name: other")],
    ["one more target", sampleWith("[linux/amd64]", "[linux/amd64, linux/arm64]")],
  ])("it does not with %s", (_name, changed) => {
    const other = parseRecipe(changed, "r.yaml");
    const attempt = () => assertLockFits(lock, loadedFrom(other));
    expect(attempt).toThrow(
      expect.objectContaining({ kind: "caller", code: "LOCK_STALE", hint: `run twinseal pin ${other.name}@1.2.3` }),
    );
  });
});
