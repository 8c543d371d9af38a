import { createWriteStream } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { once } from "node:events";
import { z } from "zod";
import { readActionGraph } from "./action-graph.ts";
import { digestFile } from "./digest.ts";
import { TwinsealError } from "./errors.ts";
import type { PlacedFile } from "./inputs/files.ts";
import type { Plan } from "./plan.ts";
import { observedSchema, runSchema, type Observed, type Run, type StepResult } from "./run.ts";
import type { SandboxDriver, SandboxEvent, SandboxSpec } from "./sandbox/driver.ts";

/** Host paths of what the plan's symbolic inputs are. All are only read. */
export type HostInputs = {
  readonly toolchainDir: string;
  readonly modulesDir: string;
  readonly sourceDir: string;
  /** Files of the recipe that have a place of their own in the sandbox. */
  readonly files: readonly PlacedFile[];
  /** The C compiler's root file system. */
  readonly rootfsDir?: string;
};

export type ExecuteDeps = {
  readonly driver: SandboxDriver;
  readonly workDir: string;
  /** The run's folder: artifacts, logs, action graph and run.json. */
  readonly runDir: string;
  readonly scratchBytes: number;
  readonly now: () => number;
  readonly newId: () => string;
  readonly onEvent: (event: SandboxEvent) => void;
  readonly signal?: AbortSignal | undefined;
};

/** What the run record takes over from whoever planned it. */
export type RunContext = Pick<Run, "lock" | "local" | "host" | "unvaried" | "fixed">;

/**
 * Executes one side's plan in a sandbox and writes its folder. A build that fails is a run with outcome `failed`; a
 * sandbox that fails throws. Decides nothing.
 */
export async function executeBuild(
  plan: Plan,
  inputs: HostInputs,
  context: RunContext,
  deps: ExecuteDeps,
): Promise<Run> {
  await rm(deps.runDir, { recursive: true, force: true });
  await mkdir(deps.runDir, { recursive: true });
  const recorder = createRecorder(plan, join(deps.runDir, "build.log"), deps.now);
  const startedAt = deps.now();
  try {
    await deps.driver.run(sandboxSpec(plan, inputs, deps), {
      workDir: deps.workDir,
      timeoutMs: plan.limits.timeoutMs,
      signal: deps.signal,
      onEvent: (event) => {
        recorder.take(event);
        deps.onEvent(event);
      },
    });
  } finally {
    await recorder.close();
  }
  const failure = recorder.failure();
  const built = failure === undefined;
  const run = runSchema.parse({
    run: 1,
    id: deps.newId(),
    side: plan.side,
    name: plan.name,
    version: plan.version,
    platform: plan.platform,
    ...context,
    driver: deps.driver.id,
    tools: { ...deps.driver.tools },
    plan: z.json().parse(JSON.parse(JSON.stringify(plan))),
    observed: recorder.observed(),
    startedAt: new Date(startedAt).toISOString(),
    durationMs: deps.now() - startedAt,
    steps: recorder.steps(),
    packages: built ? await packagesOf(deps.runDir, plan) : { total: 0, compiled: 0 },
    outcome: built ? "built" : "failed",
    ...(built ? {} : { failure }),
    artifacts: built ? await artifactsOf(deps.runDir, plan) : [],
  } satisfies Run);
  await writeFile(join(deps.runDir, "run.json"), `${JSON.stringify(run, null, 2)}\n`);
  return run;
}

/** The sandbox that a plan means on this host. */
export function sandboxSpec(
  plan: Plan,
  inputs: HostInputs,
  deps: Pick<ExecuteDeps, "scratchBytes" | "runDir">,
): SandboxSpec {
  const { variation } = plan;
  const hostPaths = { toolchain: inputs.toolchainDir, modules: inputs.modulesDir };
  return {
    hostname: variation.hostname,
    domainname: variation.domainname,
    scratchBytes: deps.scratchBytes - variation.scratchLessBytes,
    uid: variation.uid,
    gid: variation.gid,
    umask: variation.umask,
    cpus: variation.cpus,
    uname26: variation.uname26,
    fixedAddresses: variation.fixedAddresses,
    terminal: variation.terminal,
    firstPid: variation.firstPid,
    clock: variation.clock,
    uptimeOffsetSeconds: variation.uptimeOffsetSeconds,
    rootfs: inputs.rootfsDir ?? "",
    binds: [...plan.binds.map(({ input, to }) => ({ from: hostPaths[input], to })), ...inputs.files],
    source: {
      from: inputs.sourceDir,
      to: variation.sourcePath,
      reverseOrder: variation.reverseOrder,
      timeSeconds: variation.fileTimeSeconds,
      readOnly: plan.sourceReadOnly,
    },
    writable: plan.writable,
    // An environment variable cannot turn telemetry off; this file does.
    files: [{ path: `${variation.home}/.config/go/telemetry/mode`, text: "off" }],
    steps: plan.steps.map((step) => ({
      ...step,
      env: Object.entries(step.env).map(([name, value]) => `${name}=${value}`),
    })),
    outputFrom: variation.resultPath,
    outputTo: deps.runDir,
    outputs: [...plan.artifacts, plan.actionGraph],
    maxOutputBytes: plan.limits.maxOutputBytes,
  };
}

async function packagesOf(runDir: string, plan: Plan): Promise<Run["packages"]> {
  const graph = await readActionGraph(join(runDir, plan.actionGraph));
  return { total: graph.total, compiled: graph.compiled };
}

async function artifactsOf(runDir: string, plan: Plan): Promise<Run["artifacts"]> {
  return Promise.all(plan.artifacts.map((name) => artifactOf(runDir, name)));
}

async function artifactOf(runDir: string, name: string): Promise<Run["artifacts"][number]> {
  const path = join(runDir, name);
  try {
    return { name: basename(path), ...(await digestFile(path)) };
  } catch (error) {
    throw new TwinsealError("verdict", "NO_ARTIFACT", `the build succeeded and made no ${name}`, {
      cause: error,
      hint: `is the package a command (package main)? see ${join(dirname(path), "build.log")}`,
    });
  }
}

type Recorder = {
  readonly take: (event: SandboxEvent) => void;
  readonly close: () => Promise<void>;
  readonly steps: () => StepResult[];
  readonly observed: () => Observed;
  readonly failure: () => Run["failure"];
};

/** Kept of a failing step for people: enough for the compiler's first errors. */
const EXCERPT_LINES = 40;

function createRecorder(plan: Plan, logPath: string, now: () => number): Recorder {
  const log = createWriteStream(logPath);
  const steps: StepResult[] = [];
  const printed = new Map<string, string>();
  let startedAt = now();
  const take = (event: SandboxEvent) => {
    if (event.event === "start") startedAt = now();
    if (event.event === "output") {
      const before = printed.get(event.step) ?? "";
      if (before.length < 1 << 20) printed.set(event.step, before + event.text);
      log.write(event.text);
    }
    if (event.event === "exit") {
      steps.push({
        id: event.step,
        argv: [...(plan.steps.find((step) => step.id === event.step)?.argv ?? [])],
        exitCode: event.exit ?? null,
        signal: event.signal ?? null,
        durationMs: now() - startedAt,
        peakRssBytes: event.peakRssBytes ?? 0,
        cpuMs: event.cpuMs ?? 0,
      });
    }
  };
  return {
    take,
    close: async () => {
      log.end();
      await once(log, "close");
    },
    steps: () => steps,
    observed: () => parseProbe(printed.get("probe") ?? ""),
    failure: () => {
      const failed = steps.find((step) => step.exitCode !== 0);
      if (failed === undefined) return undefined;
      const text = printed.get(failed.id) ?? "";
      assertNotTheWorld(failed, text);
      return {
        step: failed.id,
        message: failed.signal === null ? `exit code ${failed.exitCode}` : `signal ${failed.signal}`,
        excerpt: compilerLines(text),
      };
    },
  };
}

function parseProbe(text: string): Observed {
  return observedSchema.parse(JSON.parse(text));
}

/** A step that the kernel killed, or that found no space, says nothing of the source: exit 3, not a verdict. */
function assertNotTheWorld(step: StepResult, text: string): void {
  if (step.signal === "killed" || /\bsignal: killed\b/.test(text)) {
    throw new TwinsealError(
      "world",
      "KILLED",
      `step ${step.id} was killed, most likely by the kernel for lack of memory`,
      {
        hint: "free memory, or build with --sequential",
      },
    );
  }
  if (/no space left on device|file too large/.test(text)) {
    throw new TwinsealError("world", "SCRATCH_FULL", `step ${step.id} found no space left in the sandbox`, {
      hint: "the sandbox writes to memory: free some, or build with --sequential",
    });
  }
}

/** The last lines, without the names of packages that `-v` prints as their compile starts. */
function compilerLines(text: string): string[] {
  const lines = text.split("\n").filter((line) => line !== "");
  const first = lines.findIndex((line) => line.startsWith("# ") || /^\S+\.go:\d+/.test(line));
  return lines.slice(first >= 0 ? first : -EXCERPT_LINES).slice(0, EXCERPT_LINES);
}
