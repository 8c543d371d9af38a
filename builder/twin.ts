import { setTimeout as delay } from "node:timers/promises";
import { executeBuild, type ExecuteDeps, type HostInputs, type RunContext } from "./execute.ts";
import type { Plan } from "./plan.ts";
import type { Run } from "./run.ts";
import type { SandboxEvent } from "./sandbox/driver.ts";

export type Side = "a" | "b";

export type TwinPlan = { readonly a: Plan; readonly b: Plan };

export type TwinDeps = {
  readonly order: TwinOrder;
  /** Everything one side's execution needs, by side: folders are never shared. */
  readonly sides: Readonly<Record<Side, ExecuteDeps>>;
};

/**
 * At the same time, the same with a lead for A, or one after the other: which comes first must not matter, and tests
 * try both.
 */
export type TwinOrder = "together" | "staggered" | "a-first" | "b-first";

export type TwinRuns = { readonly a: Run; readonly b: Run };

/** Longest lead of A. A `before` step or a large project would otherwise leave a processor idle. */
const MAX_LEAD_MS = 4_000;

/**
 * Pure: with one processor per side, two go commands that load packages at the same time slow each other. With a lead,
 * A compiles seconds earlier, and while B loads the processors are busy with A.
 */
export function chooseOrder(sequential: boolean, cpuCount: number): TwinOrder {
  if (sequential) return "a-first";
  return cpuCount <= 2 ? "staggered" : "together";
}

/**
 * Executes both sides, at the same time or one after the other. When one side's sandbox breaks, the other is ended and
 * the first fault is thrown.
 */
export async function executeTwin(
  plans: TwinPlan,
  inputs: HostInputs,
  contexts: Readonly<Record<Side, RunContext>>,
  deps: TwinDeps,
): Promise<TwinRuns> {
  const run: RunSide = (side, overrides) =>
    executeBuild(plans[side], inputs, contexts[side], { ...deps.sides[side], ...overrides });
  switch (deps.order) {
    case "a-first": {
      const a = await run("a", {});
      return { a, b: await run("b", {}) };
    }
    case "b-first": {
      const b = await run("b", {});
      return { a: await run("a", {}), b };
    }
    case "together":
    case "staggered":
      return executeOverlapping(run, deps);
  }
}

type RunSide = (side: Side, overrides: Partial<ExecuteDeps>) => Promise<Run>;

async function executeOverlapping(run: RunSide, deps: TwinDeps): Promise<TwinRuns> {
  const stop = new AbortController();
  const outer = deps.sides.a.signal;
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  const faults: unknown[] = [];
  const guarded = (side: Side, onEvent: ExecuteDeps["onEvent"]) =>
    run(side, { signal, onEvent }).catch((error: unknown) => {
      faults.push(error);
      stop.abort();
      throw error;
    });
  const loaded = Promise.withResolvers<void>();
  const a = guarded("a", (event) => {
    if (event.event === "graph") loaded.resolve();
    deps.sides.a.onEvent(event);
  });
  if (deps.order === "staggered") await Promise.race([loaded.promise, a.catch(() => {}), lead(signal)]);
  const b = guarded("b", deps.sides.b.onEvent);
  await Promise.allSettled([a, b]); // none is left running when the other's fault is thrown
  if (faults.length > 0) throw faults[0];
  return { a: await a, b: await b };
}

async function lead(signal: AbortSignal): Promise<void> {
  await delay(MAX_LEAD_MS, undefined, { signal, ref: false }).catch(() => {});
}

/** How far one side is, for whoever shows it. */
export type LaneState = {
  readonly side: Side;
  readonly phase: string;
  readonly compiled: number;
  readonly total: number;
  /** What lies in the sandbox's scratch, which is memory. */
  readonly writtenBytes: number;
};

/**
 * Follows one side's events. A package's line comes as its compile starts, so the newest lines are still in work: with
 * `parallel` of them in flight that many are not counted yet.
 */
export function createLane(side: Side, onState: (state: LaneState) => void): (event: SandboxEvent) => void {
  let packages: ReadonlySet<string> = new Set();
  const seen = new Set<string>();
  let phase = "starting";
  let writtenBytes = 0;
  const state = () => onState({ side, phase, compiled: seen.size, total: packages.size, writtenBytes });
  return (event) => {
    if (event.event === "start") phase = event.step === "build" ? "loading packages" : event.step;
    if (event.event === "written") writtenBytes = event.sizeBytes;
    if (event.event === "graph") {
      packages = new Set(event.packages);
      phase = "compiling";
    }
    if (event.event === "output" && event.step === "build") {
      for (const line of event.text.split("\n")) {
        if (/^[^\s:]+$/.test(line) && (packages.size === 0 || packages.has(line))) seen.add(line);
      }
      if (packages.size > 0 && seen.size >= packages.size) phase = "linking";
    }
    if (event.event === "exit" && event.step === "build") phase = event.exit === 0 ? "built" : "failed";
    state();
  };
}
