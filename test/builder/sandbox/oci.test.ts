import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dimensions } from "../../../builder/dimensions.ts";
import { reportDimension } from "../../../builder/report.ts";
import { engineNames } from "../../../builder/sandbox/engine.ts";
import { openEngine, type TestEngine } from "../../support/engines.ts";
import { openToolchain, type TestToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../../support/twin.ts";

let toolchain: TestToolchain;
let alone = "";
beforeAll(async () => {
  toolchain = await openToolchain();
  await using bench = await openTwinBench(toolchain, ["leak"]);
  const built = await bench.build({ before: ["leak", "leak.go", "nothing"] });
  alone = built.runs.a.artifacts[0]?.sha256 ?? "";
  expect(alone).toMatch(/^[0-9a-f]{64}$/);
});

/** What a container shows that the sandbox of driver `namespaces` does not have: docs/threat-model.md says so. */
/** A container has device nodes of its own, which go with it. */
const touched = ["touch /dev/null", "touch /dev/full", "touch /dev/zero"] as const;

const shownByEngines = {
  docker: [
    "read /sys", // an empty directory
    "read /proc/version",
    "read /proc/cmdline",
    "read /proc/sys/kernel/hostname",
    "read /proc/sys/kernel/random/boot_id",
    "see an interface that is up", // the loopback of its own network namespace
    ...touched,
  ],
  podman: ["see an interface that is up", ...touched],
} as const;

for (const name of engineNames) {
  describe(`under ${name}`, () => {
    let engine: TestEngine | string = "";
    let bench: TwinBench | undefined;
    let refused = "";
    beforeAll(async () => {
      engine = await openEngine(name);
      if (typeof engine === "string") refused = engine;
      else bench = await openTwinBench(toolchain, ["hostile", "leak"], { driver: name, env: engine.env });
    });
    afterAll(async () => {
      await bench?.[Symbol.asyncDispose]();
      if (typeof engine !== "string") await engine[Symbol.asyncDispose]();
    });

    it("two builds agree, with each other and with those under namespaces", async (context) => {
      if (bench === undefined || typeof engine === "string") return context.skip(refused);
      const cannot = ["cpu-model", "memory-size", ...Object.keys(bench.drivers.power.unvaried)];
      let writtenBytes = 0;
      const built = await bench.build({
        before: ["leak", "leak.go", "nothing"],
        onEvent: (_side, event) => (writtenBytes = event.event === "written" ? event.sizeBytes : writtenBytes),
      });
      expect((await built.comparison()).verdict).toBe("match");
      expect(writtenBytes).toBeGreaterThan(1e6);
      expect(built.runs.a.driver).toBe(name);
      expect(built.runs.a.artifacts[0]?.sha256).toBe(alone);
      expect(built.runs.b.packages.compiled).toBe(built.runs.b.packages.total);
      const { a, b } = built.runs;
      const seen = dimensions.map(({ id, about }) => reportDimension(id, about, a, b));
      // What is not varied is what it said it cannot, and nothing else.
      const unvaried = seen.filter(({ varied }) => !varied).map(({ id }) => id);
      expect(new Set(unvaried)).toEqual(new Set(cannot));
      expect(seen.filter(({ varied, reason }) => !varied && reason === undefined)).toEqual([]);
      expect(await engine.containers()).toEqual([]);
    });

    it("A under namespaces and B in a container agree, and the driver is a dimension that was varied", async (context) => {
      if (typeof engine === "string") return context.skip(refused);
      await using mixed = await openTwinBench(toolchain, ["leak"], { driver: `namespaces,${name}`, env: engine.env });
      const built = await mixed.build({ before: ["leak", "leak.go", "nothing"] });
      expect((await built.comparison()).verdict).toBe("match");
      expect([built.runs.a.driver, built.runs.b.driver]).toEqual(["namespaces", name]);
      expect(built.runs.b.artifacts[0]?.sha256).toBe(alone);
      expect(reportDimension("driver", "", built.runs.a, built.runs.b)).toMatchObject({ varied: true });
    });

    it("a hostile build step gets an error for everything it tries, but for what engines show to all", async (context) => {
      if (bench === undefined) return context.skip(refused);
      const nameBefore = hostname();
      const built = await bench.build({ before: ["hostile"] });
      for (const side of ["a", "b"]) {
        const log = await readFile(join(built.dir, side, "build.log"), "utf8");
        const attempts = log.split("\n").filter((line) => line.startsWith("hostile: "));
        expect(attempts.length).toBeGreaterThan(60);
        const succeeded = attempts.filter((line) => !line.includes(": refused: "));
        expect(
          succeeded.map((line) => line.split(": ")[1]),
          log,
        ).toEqual(shownByEngines[name]);
      }
      expect((await built.comparison()).verdict).toBe("match");
      expect(existsSync("/written")).toBe(false);
      expect(hostname()).toBe(nameBefore);
    });
  });
}
