import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../../support/twin.ts";

let bench: TwinBench;
beforeAll(async () => {
  bench = await openTwinBench(await openToolchain(), ["hostile"]);
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

describe("a hostile build step", () => {
  for (const order of ["a-first", "b-first"] as const) {
    it(`gets an error for everything it tries, ${order}`, async () => {
      const nameBefore = hostname();
      const built = await bench.build({ before: ["hostile"], order });
      for (const side of ["a", "b"]) {
        const log = await readFile(join(built.dir, side, "build.log"), "utf8");
        const attempts = log.split("\n").filter((line) => line.startsWith("hostile: "));
        expect(attempts.length).toBeGreaterThan(60);
        expect(
          attempts.filter((line) => !line.includes(": refused: ")),
          log,
        ).toEqual([]);
      }
      expect((await built.comparison()).verdict).toBe("match");
      expect(existsSync("/written")).toBe(false);
      expect(hostname()).toBe(nameBefore);
    });
  }
});
