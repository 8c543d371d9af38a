import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dimensions, type DimensionId } from "../../../builder/dimensions.ts";
import { engineNames } from "../../../builder/sandbox/engine.ts";
import { openEngine, type TestEngine } from "../../support/engines.ts";
import { openToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../../support/twin.ts";

const notOurs: readonly DimensionId[] = ["cpu-model", "memory-size", "driver"];
const ours = dimensions.map(({ id }) => id).filter((id) => !notOurs.includes(id));

for (const name of engineNames) {
  describe(`a step that leaks one dimension into the program, under ${name}`, () => {
    let engine: TestEngine | string = "";
    let bench: TwinBench | undefined;
    let refused = "";
    beforeAll(async () => {
      engine = await openEngine(name);
      if (typeof engine === "string") refused = engine;
      else bench = await openTwinBench(await openToolchain(), ["leak"], { driver: name, env: engine.env });
    });
    afterAll(async () => {
      await bench?.[Symbol.asyncDispose]();
      if (typeof engine !== "string") await engine[Symbol.asyncDispose]();
    });

    for (const id of ours) {
      it(`is a mismatch for ${id}, or it is told that ${id} was not varied`, async (context) => {
        if (bench === undefined) return context.skip(refused);
        const built = await bench.build({ before: ["leak", "leak.go", id] });
        const { verdict } = await built.comparison();
        const reason = built.runs.b.unvaried[id];
        if (reason === undefined) expect(verdict).toBe("mismatch");
        else {
          expect(["uptime", "process-ids", "aslr", "domainname"]).toContain(id);
          expect(reason).toContain(name);
          expect(verdict).toBe("match");
        }
      });
    }

    it("is a mismatch for a raw clock system call past the vDSO", async (context) => {
      if (bench === undefined) return context.skip(refused);
      const reason = bench.drivers.power.unvaried.time;
      if (reason !== undefined) return context.skip(reason);
      const built = await bench.build({ before: ["leak", "leak.go", "time-raw"] });
      expect((await built.comparison()).verdict).toBe("mismatch");
    });
  });
}
