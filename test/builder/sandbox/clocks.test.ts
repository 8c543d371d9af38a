import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { runProcess } from "../../../builder/process.ts";
import { insideProgram } from "../../../builder/sandbox/inside-program.ts";
import { openToolchain, repository, testHelperDir } from "../../support/toolchain.ts";

const EPERM = constants.errno.EPERM;
const OFFSET_SECONDS = 34_560_000;
let dir: string;
let inside: string;

const seenSchema = z.record(z.string(), z.number());

function readClocks(argv: readonly string[]): Readonly<Record<string, number>> {
  const [program = "", ...rest] = argv;
  const result = spawnSync(program, rest, { encoding: "utf8", env: {} });
  if (result.status !== 0) throw new Error(result.stderr);
  return seenSchema.parse(JSON.parse(result.stdout));
}

describe.runIf(process.arch === "x64")("the shifted clock, on amd64 only", () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "twinseal-clocks-"));
    const { goroot, lock } = await openToolchain();
    const toolchain = lock.go.toolchains.find(({ host }) => host === "linux/amd64");
    if (toolchain === undefined) throw new Error("no toolchain");
    const sourceDir = join(repository, "builder/sandbox/inside");
    inside = await insideProgram({
      sourceDir,
      goroot,
      toolchain,
      keepDir: testHelperDir(),
      workDir: dir,
    });
    const built = await runProcess([join(goroot, "bin/go"), "build", "-o", join(dir, "clocks"), "."], {
      cwd: join(repository, "test/support/fixtures/clocks"),
      env: { HOME: dir, GOROOT: goroot, GOCACHE: join(dir, "cache"), GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
      timeoutMs: 240_000,
    });
    if (built.code !== 0) throw new Error(built.stderr);
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it("shifts every wall clock and no other, through the vDSO and past it", () => {
    const program = [join(dir, "clocks"), "200"];
    const plain = readClocks(program);
    const shifted = readClocks([
      inside,
      "trace",
      String(OFFSET_SECONDS),
      "0",
      "--",
      ...program,
      String(plain["offset"]),
    ]);
    const difference = (name: string) => (shifted[name] ?? NaN) - (plain[name] ?? NaN);
    const wall = ["realtime", "realtime-coarse", "tai", "gettimeofday", "time"];
    for (const name of ["go", "fallback realtime", ...wall.flatMap((clock) => [`raw ${clock}`, `vdso ${clock}`])]) {
      expect(Math.abs(difference(name) - OFFSET_SECONDS), name).toBeLessThan(60);
    }
    for (const name of [
      "go-elapsed",
      ...["monotonic", "boottime"].flatMap((clock) => [`raw ${clock}`, `vdso ${clock}`]),
    ]) {
      expect(Math.abs(difference(name)), name).toBeLessThan(60);
    }
    // The kernel would wait by its own clock, and so tell it.
    for (const name of [
      "timerfd",
      "timerfd of tai",
      "timer",
      "nanosleep",
      "nanosleep of tai",
      "futex",
      "lock",
      "queue",
    ]) {
      expect(shifted[`wait ${name}`], name).toBe(EPERM);
      expect(plain[`wait ${name}`], name).not.toBe(EPERM);
    }
    for (const name of ["relative sleep", "timerfd of monotonic", "relative futex"])
      expect(shifted[`wait ${name}`], name).toBe(plain[`wait ${name}`]);
    for (const name of ["raw process", "vdso process"]) {
      expect(shifted[name], "the program's own processor time, not the tracer's").toBeGreaterThanOrEqual(0.2);
    }
  });
});
