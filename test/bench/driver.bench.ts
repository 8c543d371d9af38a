import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plainSpec } from "../../builder/sandbox/plain-spec.ts";
import { rootImage } from "../../builder/sandbox/root-image.ts";
import type { DriverId, SandboxDriver, SandboxSpec } from "../../builder/sandbox/driver.ts";
import { runEngine } from "../../builder/sandbox/engine.ts";
import { insideProgram } from "../../builder/sandbox/inside-program.ts";
import { openDriver } from "../../builder/sandbox/open-driver.ts";
import { openEngine, type TestEngine } from "../support/engines.ts";
import { openToolchain, repository, testHelperDir } from "../support/toolchain.ts";
import { median, type Figure } from "./figure.ts";

/**
 * How long a sandbox takes that only looks around (one step, the probe); for an engine, what that is over the engine's own
 * run of the same image and program, taken in turns.
 */
export async function benchDriver(id: DriverId, pairs: number): Promise<Figure> {
  const engine = id === "namespaces" ? undefined : await openEngine(id);
  if (typeof engine === "string") throw new Error(engine);
  const workDir = await mkdtemp(join(tmpdir(), "twinseal-bench-"));
  try {
    const { driver, program } = await openPlace(id, engine, workDir);
    const times: { readonly ours: number; readonly plain: number }[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      const plain = engine === undefined ? 0 : await timed(() => runPlain(engine, program));
      times.push({ plain, ours: await timed(() => runProbe(driver, join(workDir, String(pair)))) });
    }
    return {
      name: `start of a sandbox under ${id}${engine === undefined ? "" : ", over the engine's own run"}`,
      value: median(times.map(({ ours, plain }) => ours - plain)),
      limit: engine === undefined ? 50 : 500,
      unit: "ms",
      detail: times.map(({ ours, plain }) => `${ours.toFixed(0)} - ${plain.toFixed(0)}`).join(", "),
    };
  } finally {
    await rm(workDir, { recursive: true, force: true });
    await engine?.[Symbol.asyncDispose]();
  }
}

async function openPlace(id: DriverId, engine: TestEngine | undefined, workDir: string) {
  const { goroot, lock, store } = await openToolchain();
  const toolchain = lock.go.toolchains.find(
    ({ host }) => host === `linux/${process.arch === "x64" ? "amd64" : "arm64"}`,
  );
  if (toolchain === undefined) throw new Error("no toolchain");
  const insideDir = join(repository, "builder/sandbox/inside");
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const { driver } = await openDriver(
    id,
    { goroot, toolchain, workDir, store },
    { insideDir, helperDir: testHelperDir(), uid, gid, arch: process.arch, env: engine?.env ?? {} },
  );
  const keepDir = testHelperDir();
  return { driver, program: await insideProgram({ sourceDir: insideDir, goroot, toolchain, keepDir, workDir }) };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

async function runPlain({ engine }: TestEngine, program: string): Promise<void> {
  const image = await rootImage(engine, [], process.arch);
  const mount = `--mount=type=bind,source=${program},target=/.twinseal,readonly`;
  const argv = ["run", "--rm", "--network=none", mount, "--entrypoint=/.twinseal", image, "probe"];
  const result = await runEngine(engine, argv, { timeoutMs: 60_000 });
  if (result.code !== 0) throw new Error(result.stderr);
}

async function runProbe(driver: SandboxDriver, workDir: string): Promise<void> {
  await mkdir(workDir);
  let exit: number | undefined;
  await driver.run(probeSpec(join(workDir, "result")), {
    workDir,
    timeoutMs: 60_000,
    onEvent: (event) => {
      if (event.event === "exit") exit = event.exit;
    },
  });
  if (exit !== 0) throw new Error(`the probe ended with ${exit}`);
}

function probeSpec(outputTo: string): SandboxSpec {
  return {
    ...plainSpec(outputTo),
    scratchBytes: 1 << 24,
    writable: ["/tmp"],
    steps: [{ id: "probe", argv: ["inside", "probe"], env: [], dir: "/source", fresh: ["/cache"], graph: "" }],
  };
}
