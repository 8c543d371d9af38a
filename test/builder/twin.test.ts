import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chooseOrder } from "../../builder/twin.ts";
import { openToolchain } from "../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../support/twin.ts";

let bench: TwinBench;
beforeAll(async () => {
  bench = await openTwinBench(await openToolchain(), ["leak"]);
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

const before = ["leak", "leak.go", "nothing"] as const;

describe("the order of the two sides", () => {
  it("is at once where processors abound, with a lead for A on two, and one after the other when asked for", () => {
    expect([chooseOrder(false, 8), chooseOrder(false, 2), chooseOrder(true, 8)]).toEqual([
      "together",
      "staggered",
      "a-first",
    ]);
  });

  it("with a lead, B's sandbox is made once A has loaded its packages, and both match", async () => {
    const told: string[] = [];
    const writtenBytes = { a: 0, b: 0 };
    const { comparison } = await bench.build({
      before,
      order: "staggered",
      onEvent: (side, event) => {
        told.push(`${side} ${event.event}`);
        if (event.event === "written") writtenBytes[side] = Math.max(writtenBytes[side], event.sizeBytes);
      },
    });
    expect(told.indexOf("a graph")).toBeGreaterThan(0);
    expect(told.indexOf("b ready")).toBeGreaterThan(told.indexOf("a graph"));
    expect((await comparison()).verdict).toBe("match");
    expect(Math.min(writtenBytes.a, writtenBytes.b)).toBeGreaterThan(1e6);
  });

  it("with a lead, B is built also when A fails before it has loaded them", async () => {
    const { runs } = await bench.build({ before, order: "staggered", main: "package main\n\nimport (\n" });
    expect([runs.a.outcome, runs.b.outcome]).toEqual(["failed", "failed"]);
  });
});
