import { describe, expect, it } from "vitest";
import { dimensions } from "../../builder/dimensions.ts";
import { CLOCK_OFFSET, planVariations } from "../../builder/variations.ts";

const power = { cpuCount: 4, memoryBytes: 32 * 1024 ** 3, unvaried: {} } as const;

describe("planVariations", () => {
  it("gives the two sides different values for every key", () => {
    const { a, b } = planVariations(power, {});
    const same = (Object.keys(a) as (keyof typeof a)[]).filter(
      (key) => JSON.stringify(a[key]) === JSON.stringify(b[key]),
    );
    expect(same).toEqual([]);
  });

  it("lets B keep at least one processor and never all", () => {
    expect(planVariations({ ...power, cpuCount: 2 }, {}).b.cpus).toEqual([1]);
    expect(planVariations({ ...power, cpuCount: 4 }, {}).b.cpus).toEqual([1, 2, 3]);
    const single = planVariations({ ...power, cpuCount: 1 }, {});
    expect(single.b.cpus).toEqual([]);
    expect(single.unvaried["cpu-count"]).toMatch(/one processor/);
  });

  it("gives each process a share of the memory that there is, and B less than A", () => {
    const limits = (memoryBytes: number, cpuCount: number) => {
      const { a, b } = planVariations({ ...power, memoryBytes, cpuCount }, {});
      return [a.memoryLimitBytes, b.memoryLimitBytes].map((bytes) => Math.floor(bytes / 1024 ** 2));
    };
    expect(limits(64 * 1024 ** 3, 2)).toEqual([3072, 2048]);
    expect(limits(6 * 1024 ** 3, 4)).toEqual([768, 512]);
    expect(limits(1024 ** 3, 16)).toEqual([512, 341]);
    const fixed = planVariations({ ...power, memoryBytes: 1024 ** 3 }, { gc: "a reason of some length" });
    expect(fixed.b.memoryLimitBytes).toBe(fixed.a.memoryLimitBytes);
  });

  it("takes a fixed dimension over from A, with the recipe's reason, and nothing else", () => {
    const free = planVariations(power, {});
    const fixed = planVariations(power, { hostname: "the licence server knows this name" });
    expect(fixed.b).toEqual({ ...free.b, hostname: free.a.hostname });
    expect(fixed.fixed).toEqual({ hostname: "the licence server knows this name" });
  });

  it("says why a dimension that the machine cannot vary is not varied", () => {
    const { b, unvaried } = planVariations({ ...power, unvaried: { time: "ptrace is forbidden" } }, {});
    expect(b.clock).toBeNull();
    expect(unvaried.time).toBe("ptrace is forbidden");
  });

  it("shifts the clock so that every field of a date differs", () => {
    const now = new Date("2026-11-24T04:00:00.000Z");
    const later = new Date(now.getTime() + CLOCK_OFFSET.seconds * 1000 + CLOCK_OFFSET.nanos / 1e6);
    for (const field of [
      "getUTCFullYear",
      "getUTCMonth",
      "getUTCDate",
      "getUTCHours",
      "getUTCMinutes",
      "getUTCSeconds",
      "getUTCMilliseconds",
    ] as const) {
      expect(later[field]()).not.toBe(now[field]());
    }
  });

  it("has a place in the report for every dimension", () => {
    expect(new Set(dimensions.map(({ id }) => id)).size).toBe(dimensions.length);
  });
});
