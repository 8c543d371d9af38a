import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomUUID } from "node:crypto";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { assertPlatform } from "../../builder/explain/executable.ts";
import { compareRuns } from "../../builder/compare.ts";
import { sha256Of } from "../../builder/digest.ts";
import { executeBuild } from "../../builder/execute.ts";
import { planBuild, type Plan } from "../../builder/plan.ts";
import { readHost } from "../../builder/host.ts";
import { loadRunFolder } from "../../builder/run-folder.ts";
import type { SandboxDriver, SandboxSpec } from "../../builder/sandbox/driver.ts";
import { planVariations } from "../../builder/variations.ts";
import { openToolchain, type TestToolchain } from "../support/toolchain.ts";
import { programRecipe, openTwinBench, type TwinBench } from "../support/twin.ts";

let toolchain: TestToolchain;
let bench: TwinBench;
beforeAll(async () => {
  toolchain = await openToolchain();
  bench = await openTwinBench(toolchain, []);
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

const host = readHost();

function planFor(
  side: "a" | "b",
  build: Readonly<Record<string, unknown>> = {},
  extra: Readonly<Record<string, unknown>> = {},
): Plan {
  const recipe = programRecipe({ build: { package: ".", ldflags: "-s -w -buildid=", ...build }, ...extra });
  const variation = planVariations(
    { ...bench.drivers.power, cpuCount: host.cpuCount, memoryBytes: host.availableBytes / 2 },
    {},
  )[side];
  return planBuild({
    recipe,
    lock: { ...toolchain.lock, name: "program", version: "1.0.0" },
    platform: host.platform,
    side,
    variation,
    timeoutMs: 120_000,
  });
}

async function execute(plan: Plan, main: string, options: { driver?: SandboxDriver; scratchBytes?: number } = {}) {
  const place = join(bench.dir, randomUUID());
  const sourceDir = join(place, "source");
  await mkdir(place);
  await cp(join(bench.dir, "source"), sourceDir, { recursive: true });
  await writeFile(join(sourceDir, "main.go"), main);
  const runDir = join(place, plan.side);
  const run = executeBuild(
    plan,
    { toolchainDir: toolchain.goroot, modulesDir: join(bench.dir, "modules"), sourceDir, files: [] },
    {
      lock: { sha256: sha256Of("a lock of a test") },
      local: true,
      host: { platform: host.platform, kernel: host.kernel },
      unvaried: {},
      fixed: {},
    },
    {
      driver: options.driver ?? bench.drivers.a,
      workDir: join(place, "work"),
      runDir,
      scratchBytes: options.scratchBytes ?? 2 * 1024 ** 3,
      now: Date.now,
      newId: randomUUID,
      onEvent: () => {},
    },
  );
  return { run, runDir };
}

const hello = 'package main\n\nfunc main() { println("hello") }\n';

/** The real driver, given another sandbox than the plan's. */
function driverWith(change: (spec: SandboxSpec) => SandboxSpec): SandboxDriver {
  return { ...bench.drivers.a, run: (spec, run) => bench.drivers.a.run(change(spec), run) };
}

describe("the trap of the field: a build over a warm cache", () => {
  it("is refused by the comparison although the bytes agree", async () => {
    const a = await execute(planFor("a"), hello);
    await a.run;
    // B compiles into its cache first and then builds from it: nothing is compiled, the bytes are A's.
    const warm = driverWith((spec) => ({
      ...spec,
      steps: spec.steps.flatMap((step) =>
        step.id === "build"
          ? [
              { ...step, id: "warm-up" },
              { ...step, fresh: [] },
            ]
          : [step],
      ),
    }));
    const b = await execute(planFor("b"), hello, { driver: warm });
    const run = await b.run;
    expect(run.packages.total).toBeGreaterThan(10);
    expect(run.packages.compiled).toBeLessThan(run.packages.total);
    expect(run.artifacts[0]?.sha256).toBe((await a.run).artifacts[0]?.sha256);
    const compare = async () => compareRuns(await loadRunFolder(a.runDir), await loadRunFolder(b.runDir), {});
    await expect(compare()).rejects.toMatchObject({ code: "RUN_INCOHERENT" }); // a step that no plan has
    // The same from a builder who does not say so.
    const hidden = { ...run, steps: run.steps.filter(({ id }) => id !== "warm-up") };
    await writeFile(join(b.runDir, "run.json"), JSON.stringify(hidden));
    await expect(compare()).rejects.toMatchObject({ code: "WARM_CACHE" });
  });

  it("is refused by the executor when the build's cache is not empty", async () => {
    const plan = planFor("b");
    const dirty = driverWith((spec) => ({
      ...spec,
      files: [...spec.files, { path: `${plan.variation.buildCachePath}/trim.txt`, text: "1" }],
    }));
    const { run, runDir } = await execute(plan, hello, { driver: dirty });
    await expect(run).rejects.toMatchObject({ kind: "alarm", code: "CACHE_NOT_EMPTY" });
    expect(existsSync(join(runDir, "run.json"))).toBe(false);
  });

  it("is refused by the executor when a program lies in the result already: go would not link another", async () => {
    const plan = planFor("a");
    const [name] = plan.artifacts;
    const placed = driverWith((spec) => ({
      ...spec,
      files: [...spec.files, { path: `${plan.variation.resultPath}/${name}`, text: "a program of nobody's" }],
    }));
    const { run, runDir } = await execute(plan, hello, { driver: placed });
    await expect(run).rejects.toMatchObject({ kind: "alarm", code: "CACHE_NOT_EMPTY" });
    expect(existsSync(join(runDir, name))).toBe(false);
  });
});

describe("executeBuild", () => {
  it("keeps the compiler's own lines of a build that fails", async () => {
    const { run } = await execute(planFor("a"), "package main\n\nfunc main() { undefinedName() }\n");
    const { outcome, failure, artifacts } = await run;
    expect(outcome).toBe("failed");
    expect(artifacts).toEqual([]);
    expect(failure?.excerpt.join("\n")).toContain("undefined: undefinedName");
  });

  it("says that the world failed, not the source, when the sandbox has no space left", async () => {
    const { run } = await execute(planFor("a"), hello, { scratchBytes: 4 * 1024 ** 2 });
    await expect(run).rejects.toMatchObject({ kind: "world", code: "SCRATCH_FULL" });
  });

  it("ends a sandbox at its time limit", async () => {
    const { run } = await execute({ ...planFor("a"), limits: { maxOutputBytes: 1e9, timeoutMs: 300 } }, hello);
    await expect(run).rejects.toMatchObject({ kind: "world", code: "SANDBOX_TIMED_OUT" });
  });

  it("refuses an output that is larger than its limit", async () => {
    const { run, runDir } = await execute(
      { ...planFor("a"), limits: { maxOutputBytes: 1000, timeoutMs: 120_000 } },
      hello,
    );
    await expect(run).rejects.toMatchObject({ code: "OUTPUT_TOO_LARGE" });
    expect(existsSync(join(runDir, "run.json"))).toBe(false);
  });

  it("makes no program of a library, which is refused before it is compared", async () => {
    const { run, runDir } = await execute(planFor("a"), "package library\n");
    const [artifact] = (await run).artifacts;
    await expect(assertPlatform(join(runDir, artifact?.name ?? ""), "linux/amd64")).rejects.toMatchObject({
      code: "WRONG_PLATFORM",
    });
  });

  it("says what was seen inside, not what was planned", async () => {
    const lying = driverWith((spec) => ({ ...spec, hostname: "another-name" }));
    const { run } = await execute(planFor("a"), hello, { driver: lying });
    expect((await run).observed.hostname).toBe("another-name");
  });
});
