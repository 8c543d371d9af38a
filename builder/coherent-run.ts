import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { dimensionIdSchema } from "./dimensions.ts";
import { TwinsealError } from "./errors.ts";
import type { Observed, Run } from "./run.ts";

const planSchema = z.looseObject({
  side: z.enum(["a", "b"]),
  platform: z.string(),
  steps: z.array(z.looseObject({ id: z.string(), argv: z.array(z.string()) })),
  variation: z.looseObject({
    sourcePath: z.string(),
    moduleCachePath: z.string(),
    buildCachePath: z.string(),
    goroot: z.string(),
    home: z.string(),
    tmpdir: z.string(),
    uid: z.int(),
    userName: z.string(),
    gid: z.int(),
    umask: z.int(),
    hostname: z.string(),
    timezone: z.string(),
    lang: z.string(),
    lcAll: z.string(),
    gogc: z.string(),
  }),
});
type Planned = z.infer<typeof planSchema>["variation"];

/** What a probe must see of each of these, whatever the driver. */
export function visibleValues(planned: Planned) {
  return {
    "module-cache-path": planned.moduleCachePath,
    "build-cache-path": planned.buildCachePath,
    goroot: planned.goroot,
    home: planned.home,
    tmpdir: planned.tmpdir,
    user: `${planned.uid} ${planned.userName}`,
    group: String(planned.gid),
    umask: `0${planned.umask.toString(8)}`,
    hostname: planned.hostname,
    locale: `${planned.lang} ${planned.lcAll}`,
    gc: planned.gogc,
  } as const satisfies Observed;
}

/**
 * A run's own plan must be of its side, its probe must have seen what was planned, and its steps be those of the plan. Throws
 * `alarm/RUN_INCOHERENT`.
 */
export function assertCoherent(run: Run): void {
  const plan = planSchema.safeParse(run.plan).data;
  if (
    plan?.side === run.side &&
    plan.platform === run.platform &&
    sawPlan(run, plan.variation) &&
    didPlan(run, plan.steps)
  )
    return;
  throw new TwinsealError("alarm", "RUN_INCOHERENT", `run ${run.side} says in one place what another denies`, {
    hint: "its run.json was put together from two runs, or changed: build that side again",
  });
}

function sawPlan({ observed }: Run, planned: Planned): boolean {
  const equal = Object.entries(visibleValues(planned)).every(
    ([id, value]) => observed[dimensionIdSchema.parse(id)] === value,
  );
  const zone = observed.timezone?.startsWith(`${planned.timezone} (`) === true;
  return equal && zone && `${observed["source-path"] ?? ""}/`.startsWith(`${planned.sourcePath}/`);
}

/** A build that succeeded did every step, one that failed did them up to the one that did. */
function didPlan({ outcome, failure, steps }: Run, planned: z.infer<typeof planSchema>["steps"]): boolean {
  const asPlanned = steps.every(({ id, argv }, at) =>
    isDeepStrictEqual([id, argv], [planned[at]?.id, planned[at]?.argv]),
  );
  const good = steps.map(({ exitCode, signal }) => exitCode === 0 && signal === null);
  if (outcome === "failed") return asPlanned && failure !== undefined && good.indexOf(false) === steps.length - 1;
  return asPlanned && failure === undefined && steps.length === planned.length && !good.includes(false);
}
