import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { hostTuned, readActionGraph, type ActionGraph } from "./action-graph.ts";
import { assertComparable } from "./comparable.ts";
import { digestFile } from "./digest.ts";
import { TwinsealError } from "./errors.ts";
import { assertPlatform } from "./explain/executable.ts";
import { findDates, spellingsOf, type DateFinding } from "./explain/dates.ts";
import { diffFiles, type ByteDifference } from "./explain/differences.ts";
import { ACTION_GRAPH } from "./plan.ts";
import type { Artifact, Run } from "./run.ts";
import type { RunFolder } from "./run-folder.ts";
import { isVaried } from "./varied.ts";

declare const matched: unique symbol;
/** Proof that two runs gave the same artifacts; `compareRuns` alone makes it. */
export type MatchedArtifacts = { readonly [matched]: true; readonly artifacts: readonly Artifact[] };

export type Difference =
  | ({ readonly kind: "bytes"; readonly name: string } & ByteDifference)
  | { readonly kind: "only-in-a" | "only-in-b"; readonly name: string }
  | { readonly kind: "failed-in-a" | "failed-in-b"; readonly name: string; readonly message: string };

export type Comparison =
  | { readonly verdict: "match"; readonly artifacts: MatchedArtifacts }
  | { readonly verdict: "mismatch"; readonly differences: readonly [Difference, ...Difference[]] }
  | {
      readonly verdict: "suspect";
      readonly findings: readonly [DateFinding, ...DateFinding[]];
      readonly artifacts: readonly Artifact[];
    };

export type CompareOptions = {
  /** Texts of the lock in which days stand, for example pseudo-versions: such a day in an artifact is no leak. */
  readonly lockedDates?: readonly string[];
  /** The recipe's reason why a date of the build day may stand in the artifact. */
  readonly allowDate?: string | undefined;
};

const ownFiles = new Set(["run.json", "build.log", ACTION_GRAPH]);

/**
 * Compares two runs by the bytes that lie in their folders; what run.json says of them is only held against the bytes.
 * Throws for what is no comparison at all: the same run or side twice, other inputs, no artifact, a warm cache; and for
 * equal bytes that are no program for the declared platform.
 */
export async function compareRuns(a: RunFolder, b: RunFolder, options: CompareOptions = {}): Promise<Comparison> {
  assertComparable(a.run, b.run);
  const failed = failedSide(a.run, b.run);
  if (failed !== undefined) return { verdict: "mismatch", differences: [failed] };
  await Promise.all([assertSound(a), assertSound(b)]);
  const [left, right] = await Promise.all([digestArtifacts(a), digestArtifacts(b)]);
  const differences = await findDifferences(a, b, left, right);
  const [first, ...rest] = differences;
  if (first !== undefined) return { verdict: "mismatch", differences: [first, ...rest] };
  for (const { name } of left) await assertPlatform(join(a.dir, name), a.run.platform);
  if (options.allowDate === undefined) {
    const [finding, ...more] = await findRunDates(a, left, [a.run, b.run], options.lockedDates ?? []);
    if (finding !== undefined) return { verdict: "suspect", findings: [finding, ...more], artifacts: left };
  }
  // The one place where the proof is made.
  return { verdict: "match", artifacts: { artifacts: left } as MatchedArtifacts };
}

function failedSide(a: Run, b: Run): Difference | undefined {
  const message = (run: Run) => `step ${run.failure?.step ?? "?"}: ${run.failure?.message ?? "failed"}`;
  if (a.outcome === "failed") return { kind: "failed-in-a", name: a.name, message: message(a) };
  if (b.outcome === "failed") return { kind: "failed-in-b", name: b.name, message: message(b) };
  return undefined;
}

async function assertSound({ dir, run }: RunFolder): Promise<void> {
  const graph = await readActionGraph(join(dir, ACTION_GRAPH));
  assertCold(graph, run);
  assertLinked(graph, run);
  assertPortable(graph);
}

/** What a compiler tuned for this machine is equal here and different elsewhere: no comparison here can find it. */
function assertPortable(graph: ActionGraph): void {
  const tuned = hostTuned(graph);
  if (tuned === undefined) return;
  throw new TwinsealError(
    "verdict",
    "HOST_TUNED",
    `${tuned.package} is compiled with ${tuned.flag}: code for the processor of this machine`,
    { hint: "state the processor level instead, for example -march=x86-64, or patch the #cgo line that asks for it" },
  );
}

/** A program that was there before its build began is linked by nobody. */
function assertLinked(graph: ActionGraph, run: Run): void {
  if (graph.linked) return;
  throw new TwinsealError(
    "verdict",
    "NOT_LINKED",
    `run ${run.side} linked no program: what lies in its result was not made by this build`,
    { hint: "see that run's actiongraph.json; a step before the build must not write a program of its own there" },
  );
}

/** A package counts as compiled when its action holds a compile command; fewer than all means that a cache was warm. */
function assertCold(graph: ActionGraph, run: Run): void {
  if (graph.compiled === graph.total && run.packages.compiled === graph.compiled && run.packages.total === graph.total)
    return;
  throw new TwinsealError(
    "verdict",
    "WARM_CACHE",
    `run ${run.side} compiled ${graph.compiled} of ${graph.total} packages: a build over a warm cache proves nothing`,
    {
      hint: "build again; both sides start with an empty cache",
    },
  );
}

/** In the run's own order, the program first. */
async function digestArtifacts({ dir, run }: RunFolder): Promise<readonly Artifact[]> {
  const names = (await readdir(dir)).filter((name) => !ownFiles.has(name));
  const stated = new Map(run.artifacts.map((artifact) => [artifact.name, artifact]));
  const extra = names.find((name) => !stated.has(name));
  if (extra !== undefined)
    throw new TwinsealError("alarm", "RUN_CHANGED", `${join(dir, extra)} is not an artifact of this run`);
  if (stated.size === 0)
    throw new TwinsealError("verdict", "NO_ARTIFACT", `run ${run.side} has no artifact: there is nothing to compare`);
  const artifacts: Artifact[] = [];
  for (const name of stated.keys()) {
    const digest = await digestFile(join(dir, name));
    if (digest.sha256 !== stated.get(name)?.sha256) {
      throw new TwinsealError(
        "alarm",
        "RUN_CHANGED",
        `${join(dir, name)} was changed after its run: sha256 ${digest.sha256} instead of ${stated.get(name)?.sha256 ?? "none"}`,
      );
    }
    artifacts.push({ name, ...digest });
  }
  return artifacts;
}

async function findDifferences(
  a: RunFolder,
  b: RunFolder,
  left: readonly Artifact[],
  right: readonly Artifact[],
): Promise<readonly Difference[]> {
  const differences: Difference[] = [];
  for (const artifact of left) {
    const twin = right.find(({ name }) => name === artifact.name);
    if (twin === undefined) differences.push({ kind: "only-in-a", name: artifact.name });
    else if (twin.sha256 !== artifact.sha256) {
      const bytes = await diffFiles(join(a.dir, artifact.name), join(b.dir, artifact.name));
      if (bytes === undefined)
        throw new TwinsealError("alarm", "RUN_CHANGED", `${artifact.name} changed while it was compared`);
      differences.push({ kind: "bytes", name: artifact.name, ...bytes });
    }
  }
  for (const { name } of right)
    if (!left.some((artifact) => artifact.name === name)) differences.push({ kind: "only-in-b", name });
  return differences;
}

/**
 * A run's own day in matched bytes. With a shifted clock that day can come from nowhere but the times that the kernel
 * writes on new files, which nobody can shift: then the locked inputs' own days are no leak.
 */
async function findRunDates(
  folder: RunFolder,
  artifacts: readonly Artifact[],
  runs: readonly [Run, Run],
  lockedDates: readonly string[],
): Promise<readonly DateFinding[]> {
  const varied = isVaried("time", ...runs);
  const windows = runs.flatMap((run) =>
    (varied ? [run.startedAt] : [run.startedAt, run.observed.time]).flatMap((time) => {
      const startMs = Date.parse(time ?? "");
      return Number.isFinite(startMs) ? [{ startMs, endMs: startMs + run.durationMs }] : [];
    }),
  );
  const excused = varied ? lockedDates : [];
  const spellings = spellingsOf(windows);
  const findings: DateFinding[] = [];
  for (const { name } of artifacts)
    findings.push(...(await findDates(join(folder.dir, name), name, spellings, excused)));
  return findings;
}
