import { dimensions } from "./dimensions.ts";
import { TwinsealError } from "./errors.ts";
import { assertCoherent } from "./coherent-run.ts";
import type { Run } from "./run.ts";
import { isVaried } from "./varied.ts";

/**
 * Throws for what is no comparison at all: the same run or side twice, runs of something else, an environment that did
 * not differ, a folder whose parts are not of one run; and when both builds failed.
 */
export function assertComparable(a: Run, b: Run): void {
  const refuse = (code: string, message: string) =>
    new TwinsealError("caller", code, message, { hint: "compare side a of one build with side b of it" });
  if (a.id === b.id) throw refuse("SAME_RUN", "both folders are of the same run: equal bytes would prove nothing");
  if (a.side === b.side)
    throw refuse("SAME_SIDE", `both runs are side ${a.side}: they were built in the same environment`);
  for (const key of ["name", "version", "platform"] as const) {
    if (a[key] !== b[key]) throw refuse("NOT_COMPARABLE", `the runs are of another ${key}: ${a[key]} and ${b[key]}`);
  }
  if (a.lock.sha256 !== b.lock.sha256) throw refuse("NOT_COMPARABLE", "the runs were built from different locks");
  if (a.local !== b.local)
    throw refuse("NOT_COMPARABLE", "one run was built from a working tree and the other was not");
  assertCoherent(a);
  assertCoherent(b);
  if (!dimensions.some(({ id }) => isVaried(id, a, b)))
    throw refuse("RUNS_ALIKE", "nothing differed between the two environments: equal bytes would prove nothing");
  if (a.outcome === "failed" && b.outcome === "failed")
    throw new TwinsealError("verdict", "BUILD_FAILED", "the build failed in both runs");
}
