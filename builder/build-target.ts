import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { judgeAgainst, type Against } from "./against.ts";
import { checkLinkage } from "./check-linkage.ts";
import { checksPassed, executeCheck } from "./check-artifact.ts";
import type { HostInputs } from "./execute.ts";
import { datedTexts } from "./explain/dates.ts";
import type { HostFacts } from "./host.ts";
import { agreedArtifacts, judgeRuns, matchedArtifacts, placeArtifact, removeArtifact } from "./judge.ts";
import type { MemoryPlan } from "./memory.ts";
import { artifactName, type Platform } from "./platform.ts";
import { lockDigest } from "./recipe/load-lock.ts";
import type { Lock } from "./recipe/lock.ts";
import type { Recipe } from "./recipe/schema.ts";
import type { JudgedTarget } from "./report.ts";
import type { SandboxDriver } from "./sandbox/driver.ts";
import { chooseOrder, createLane, executeTwin, type LaneState, type Side, type TwinPlan } from "./twin.ts";
import type { Variations } from "./variations.ts";

/** What is built: a recipe, the lock of one version, and where the recipe lies. */
export type Subject = { readonly recipe: Recipe; readonly lock: Lock; readonly recipeDir: string };

export type PlannedTarget = {
  readonly platform: Platform;
  readonly plans: TwinPlan;
  readonly variations: Variations;
};

/** What all targets of one build share. */
export type BuildJob = {
  readonly subject: Subject;
  readonly inputs: HostInputs;
  /** Throws when what both sandboxes read is not what it was before. */
  readonly recheckInputs: () => Promise<void>;
  readonly drivers: Readonly<Record<Side, SandboxDriver>>;
  readonly memory: MemoryPlan;
  /** Where the matched artifact goes; both runs lie in a directory per platform below it. */
  readonly folder: string;
  readonly workDir: string;
  readonly against: Against | undefined;
};

export type TargetDeps = {
  readonly host: HostFacts;
  readonly now: () => number;
  readonly onLane?: (platform: Platform, state: LaneState) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Builds one target twice, judges, checks what matched, and places it only then. */
export async function buildTarget(planned: PlannedTarget, job: BuildJob, deps: TargetDeps): Promise<JudgedTarget> {
  const { platform } = planned;
  const { recipe, lock } = job.subject;
  const targetDir = join(job.folder, platform.replace("/", "-"));
  const name = artifactName(recipe.name, lock.version, platform);
  for (const one of planned.plans.a.artifacts) await removeArtifact(job.folder, one);
  const runs = await runTwin(planned, targetDir, job, deps);
  await job.recheckInputs();
  const excused = { allowDate: recipe.allow?.date, lockedDates: datedTexts(lock) };
  const judgement = await judgeRuns(targetDir, runs, excused);
  const agreed = agreedArtifacts(judgement).find((one) => one.name === name);
  const against = job.against === undefined ? {} : { against: judgeAgainst(job.against, name, agreed) };
  const artifacts = matchedArtifacts(judgement);
  if (artifacts.length === 0) return { platform, ...runs, ...judgement, ...against };
  const checks = await checkArtifacts(planned, targetDir, job, deps);
  if (checksPassed(checks)) {
    for (const artifact of artifacts) await placeArtifact(join(targetDir, "a", artifact.name), job.folder, artifact);
  }
  return { platform, ...runs, ...judgement, ...checks, ...against };
}

type Checks = Pick<JudgedTarget, "check" | "links">;

async function checkArtifacts(
  { platform, plans }: PlannedTarget,
  targetDir: string,
  job: BuildJob,
  deps: TargetDeps,
): Promise<Checks> {
  const wanted = job.subject.recipe.check;
  if (wanted === undefined) return {};
  const [program, ...others] = plans.a.artifacts.map((name) => join(targetDir, "a", name));
  if (program === undefined) return {};
  const links = wanted.links === undefined ? {} : { links: await checkLinkage(program, wanted.links) };
  const place = { program, others, rootfsDir: job.inputs.rootfsDir ?? "", workDir: job.workDir };
  const check = await executeCheck(job.subject, platform, place, deps.host, job.drivers.a);
  return { ...links, ...(check === undefined ? {} : { check }) };
}

async function runTwin(planned: PlannedTarget, targetDir: string, job: BuildJob, deps: TargetDeps) {
  const { platform, variations, plans } = planned;
  const { lock } = job.subject;
  const context = {
    lock: { sha256: lockDigest(lock) },
    local: lock.source.kind === "path",
    host: { platform: deps.host.platform, kernel: deps.host.kernel },
    unvaried: variations.unvaried,
    fixed: variations.fixed,
  };
  const side = (id: Side) => ({
    driver: job.drivers[id],
    workDir: join(job.workDir, `${platform.replace("/", "-")}-${id}`),
    runDir: join(targetDir, id),
    scratchBytes: job.memory.scratchBytes,
    now: deps.now,
    newId: randomUUID,
    onEvent: createLane(id, (state) => deps.onLane?.(platform, state)),
    signal: deps.signal,
  });
  const order = chooseOrder(job.memory.sequential, deps.host.cpuCount);
  return executeTwin(plans, job.inputs, { a: context, b: context }, { order, sides: { a: side("a"), b: side("b") } });
}
