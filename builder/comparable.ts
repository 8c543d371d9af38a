import { z } from "zod";
import { dimensions } from "./dimensions.ts";
import { TwinsealError } from "./errors.ts";
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
  assertCoherent(a);
  assertCoherent(b);
  if (!dimensions.some(({ id }) => isVaried(id, a, b)))
    throw refuse("RUNS_ALIKE", "nothing differed between the two environments: equal bytes would prove nothing");
  if (a.outcome === "failed" && b.outcome === "failed")
    throw new TwinsealError("verdict", "BUILD_FAILED", "the build failed in both runs");
}

const planSchema = z.looseObject({
  side: z.enum(["a", "b"]),
  platform: z.string(),
  variation: z.looseObject({ hostname: z.string(), home: z.string(), goroot: z.string() }),
});

/** A run's own plan must be of its side, and its probe must have seen what was planned. */
function assertCoherent(run: Run): void {
  const plan = planSchema.safeParse(run.plan).data;
  const { observed } = run;
  if (
    plan?.side === run.side &&
    plan.platform === run.platform &&
    (["hostname", "home", "goroot"] as const).every((id) => observed[id] === plan.variation[id])
  )
    return;
  throw new TwinsealError("alarm", "RUN_INCOHERENT", `run ${run.side} says in one place what another denies`, {
    hint: "its run.json was put together from two runs, or changed: build that side again",
  });
}
