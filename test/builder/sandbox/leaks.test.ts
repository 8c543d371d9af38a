import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dimensions, type DimensionId } from "../../../builder/dimensions.ts";
import { openToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../../support/twin.ts";

let bench: TwinBench;
beforeAll(async () => {
  bench = await openTwinBench(await openToolchain(), ["leak"]);
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

const notOurs: readonly DimensionId[] = ["cpu-model", "memory-size", "driver"];
const only = process.env["TWINSEAL_TEST_DIMENSIONS"]?.split(",");
const varied = dimensions.map(({ id }) => id).filter((id) => !notOurs.includes(id) && only?.includes(id) !== false);

async function expectMismatch(what: string, order: "a-first" | "b-first" | "together") {
  const built = await bench.build({ before: ["leak", "leak.go", what], order });
  const comparison = await built.comparison();
  expect(comparison.verdict).toBe("mismatch");
  for (const side of ["a", "b"]) {
    expect(existsSync(join(built.dir, side, built.runs.a.artifacts[0]?.name ?? "missing"))).toBe(true);
    expect(existsSync(join(built.dir, side, "build.log"))).toBe(true);
  }
}

describe("a build step that leaks one dimension into the program", () => {
  it("matches when it looks at nothing", async () => {
    const built = await bench.build({ before: ["leak", "leak.go", "nothing"] });
    expect(built.runs.a.packages.compiled).toBe(built.runs.a.packages.total);
    expect((await built.comparison()).verdict).toBe("match");
  });

  for (const id of varied) {
    it(`is a mismatch for ${id}, whichever side comes first`, async (context) => {
      const reason = bench.drivers.power.unvaried[id];
      if (reason !== undefined) context.skip(reason);
      await expectMismatch(id, "a-first");
      await expectMismatch(id, "b-first");
    });
  }

  for (const id of varied.filter((one) => one !== "time")) {
    it(`matches once the recipe fixes ${id}`, async () => {
      const built = await bench.build({ before: ["leak", "leak.go", id], fix: { [id]: "a test of this very fix" } });
      expect(built.runs.b.fixed[id]).toBe("a test of this very fix");
      expect((await built.comparison()).verdict).toBe("match");
    });
  }

  for (const what of ["time-seconds", "time-nanoseconds", "random"]) {
    it(`is a mismatch for ${what}`, () => expectMismatch(what, "together"));
  }

  it("is a mismatch for a raw clock system call past the vDSO", async (context) => {
    const reason = bench.drivers.power.unvaried.time;
    if (reason !== undefined) context.skip(reason);
    await expectMismatch("time-raw", "together");
  });

  it("is suspect, not a match, when the clock is not shifted and the bare date leaks", async () => {
    const built = await bench.build({ before: ["leak", "leak.go", "time"], unvaried: { time: "not in this test" } });
    expect((await built.comparison()).verdict).toBe("suspect");
  });

  it("is suspect when the day comes from a new file's time, which no clock shifts", async () => {
    const built = await bench.build({ before: ["leak", "leak.go", "new-file-day"] });
    expect((await built.comparison()).verdict).toBe("suspect");
  });

  it("is suspect when the recipe itself fixes the time", async () => {
    const built = await bench.build({ before: ["leak", "leak.go", "time"], fix: { time: "a test of this very fix" } });
    expect((await built.comparison()).verdict).toBe("suspect");
  });
});
