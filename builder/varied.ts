import type { DimensionId } from "./dimensions.ts";
import type { Run } from "./run.ts";

const DAY_MS = 86_400_000;

/** What a run's probe saw of a dimension; the driver is no probe's to see. */
export function seenOf(id: DimensionId, run: Pick<Run, "driver" | "observed">): string | undefined {
  return id === "driver" ? run.driver : run.observed[id];
}

/** Whether two runs differed in a dimension, by what their probes saw, never by what was planned. */
export function isVaried(
  id: DimensionId,
  a: Pick<Run, "driver" | "observed">,
  b: Pick<Run, "driver" | "observed">,
): boolean {
  const [left, right] = [seenOf(id, a), seenOf(id, b)];
  if (left === undefined || right === undefined) return false;
  // Clocks run on by themselves: they are varied when they are more than a day apart.
  if (id === "time") return Math.abs(Date.parse(left) - Date.parse(right)) > DAY_MS;
  if (id === "uptime") return Math.abs(Number.parseInt(left, 10) - Number.parseInt(right, 10)) * 1000 > DAY_MS;
  return left !== right;
}
