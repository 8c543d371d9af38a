import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engineNames, runEngine } from "../../../builder/sandbox/engine.ts";
import { openEngine, type TestEngine } from "../../support/engines.ts";
import { openToolchain, repository } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../../support/twin.ts";

/** The build's own processes, which sleep for an hour unless somebody ends them, in containers that show a path. */
function sleepersOf(of: string): number {
  const lines = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(of) ? line : "";
      } catch {
        return "";
      }
    });
  return lines.filter((line) => line.includes("hostile sleep")).length;
}

async function until(what: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean> {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(100)) if (await what()) return true;
  return what();
}

for (const name of engineNames) {
  describe(`a sandbox of ${name}`, () => {
    let engine: TestEngine | string = "";
    let bench: TwinBench | undefined;
    let refused = "";
    const sleepers = () => sleepersOf(typeof engine === "string" ? engine : engine.dir);
    beforeAll(async () => {
      engine = await openEngine(name);
      if (typeof engine === "string") refused = engine;
      else {
        bench = await openTwinBench(await openToolchain(), ["hostile"], { driver: name, env: engine.env });
      }
    });
    afterAll(async () => {
      await bench?.[Symbol.asyncDispose]();
      if (typeof engine !== "string") await engine[Symbol.asyncDispose]();
    });

    it("is gone soon after Node was killed with SIGKILL", async (context) => {
      if (typeof engine === "string") return context.skip(engine);
      const { env, containers } = engine;
      const child = spawn(
        process.execPath,
        [join(repository, "test/support/sleepy-build.ts"), name, JSON.stringify(env)],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let dir = "";
      child.stdout.on("data", (chunk: Buffer) => (dir += chunk.toString()));
      expect(await until(() => sleepers() >= 2, 240_000)).toBe(true);
      expect((await containers()).length).toBe(2);
      child.kill("SIGKILL");
      await once(child, "close");
      expect(await until(() => sleepers() === 0, 10_000)).toBe(true);
      expect(await until(async () => (await containers()).length === 0, 20_000)).toBe(true);
      rmSync(dir.trim(), { recursive: true, force: true });
    });

    it("is gone when the build is interrupted, ends at its time limit, or its container is killed by someone else", async (context) => {
      if (bench === undefined || typeof engine === "string") return context.skip(refused);
      const { containers, engine: found } = engine;
      const stop = new AbortController();
      const interrupted = bench.build({ before: ["hostile", "sleep"], signal: stop.signal });
      interrupted.catch(() => {});
      expect(await until(() => sleepers() >= 2, 120_000)).toBe(true);
      stop.abort();
      await expect(interrupted).rejects.toMatchObject({ kind: "world", code: "INTERRUPTED" });
      expect([sleepers(), await containers()]).toEqual([0, []]);

      const late = bench.build({ before: ["hostile", "sleep"], timeoutMs: 8_000, order: "a-first" });
      await expect(late).rejects.toMatchObject({ kind: "world", code: "SANDBOX_TIMED_OUT" });
      expect([sleepers(), await containers()]).toEqual([0, []]);

      const killed = bench.build({ before: ["hostile", "sleep"] });
      killed.catch(() => {});
      expect(await until(() => sleepers() >= 2, 120_000)).toBe(true);
      const [first = ""] = await containers();
      await runEngine(found, ["kill", first], { timeoutMs: 30_000 });
      await expect(killed).rejects.toMatchObject({ kind: "world", code: "KILLED" });
      expect(await until(async () => sleepers() === 0 && (await containers()).length === 0, 10_000)).toBe(true);
    });

    it("does not outlive an engine that is killed in mid-build: the build ends with the world's failure", async (context) => {
      if (bench === undefined || typeof engine === "string") return context.skip(refused);
      if (name === "podman") return context.skip("podman has no daemon that could be killed");
      const { containers, crash, restart } = engine;
      const building = bench.build({ before: ["hostile", "sleep"] });
      building.catch(() => {});
      expect(await until(() => sleepers() >= 2, 120_000)).toBe(true);
      await crash();
      await expect(building).rejects.toMatchObject({ kind: "world", code: expect.stringMatching(/^ENGINE_/) });
      expect(await until(() => sleepers() === 0, 60_000)).toBe(true);
      await restart();
      expect(await until(async () => (await containers()).length === 0, 20_000)).toBe(true);
      expect((await bench.build({ before: ["hostile"] })).runs.a.outcome).toBe("built");
    });
  });
}
