import { executeBuild, type ExecuteDeps, type HostInputs, type RunContext } from "./execute.ts";
import type { Plan } from "./plan.ts";
import type { Run } from "./run.ts";
import type { SandboxEvent } from "./sandbox/driver.ts";

export type Side = "a" | "b";

export type TwinPlan = { readonly a: Plan; readonly b: Plan };

export type TwinDeps = {
  /** At the same time, or one after the other: which comes first must not matter, and tests try both. */
  readonly order: "together" | "a-first" | "b-first";
  /** Everything one side's execution needs, by side: folders are never shared. */
  readonly sides: Readonly<Record<Side, ExecuteDeps>>;
};

export type TwinRuns = { readonly a: Run; readonly b: Run };

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
  const run = (side: Side, signal?: AbortSignal) =>
    executeBuild(plans[side], inputs, contexts[side], {
      ...deps.sides[side],
      signal: signal ?? deps.sides[side].signal,
    });
  if (deps.order === "a-first") {
    const a = await run("a");
    return { a, b: await run("b") };
  }
  if (deps.order === "b-first") {
    const b = await run("b");
    return { a: await run("a"), b };
  }
  const stop = new AbortController();
  const outer = deps.sides.a.signal;
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  const faults: unknown[] = [];
  const both = await Promise.allSettled(
    (["a", "b"] as const).map((side) =>
      run(side, signal).catch((error: unknown) => {
        faults.push(error);
        stop.abort();
        throw error;
      }),
    ),
  );
  const [a, b] = both.map((result) => (result.status === "fulfilled" ? result.value : undefined));
  if (a === undefined || b === undefined) throw faults[0];
  return { a, b };
}

/** How far one side is, for whoever shows it. */
export type LaneState = {
  readonly side: Side;
  readonly phase: string;
  readonly compiled: number;
  readonly total: number;
};

/**
 * Follows one side's events. A package's line comes as its compile starts, so the newest lines are still in work: with
 * `parallel` of them in flight that many are not counted yet.
 */
export function createLane(side: Side, onState: (state: LaneState) => void): (event: SandboxEvent) => void {
  let packages: ReadonlySet<string> = new Set();
  const seen = new Set<string>();
  let phase = "starting";
  const state = () => onState({ side, phase, compiled: seen.size, total: packages.size });
  return (event) => {
    if (event.event === "start") phase = event.step === "build" ? "loading packages" : event.step;
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
