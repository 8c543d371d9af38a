import { chmod, copyFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { digestFile } from "./digest.ts";
import { TwinsealError } from "./errors.ts";
import { firstDivergent, readActionGraph, type DivergentPackage } from "./action-graph.ts";
import { compareRuns, type CompareOptions, type Comparison, type Difference } from "./compare.ts";
import { dimensionTokens, explainDifferences, heldValues, type Explanation, type HeldValue } from "./explain/cause.ts";
import { heldClockTime } from "./explain/clock-times.ts";
import { datedTexts } from "./explain/dates.ts";
import { findTexts } from "./explain/texts.ts";
import { ACTION_GRAPH } from "./plan.ts";
import { lockDigest } from "./recipe/load-lock.ts";
import type { Lock } from "./recipe/lock.ts";
import type { ReportTarget } from "./report.ts";
import type { Artifact } from "./run.ts";
import { loadRunFolder, type RunFolder } from "./run-folder.ts";
import type { TwinRuns } from "./twin.ts";

/** What two runs of one target came to: a comparison with its explanation, or the failure that both share. */
export type Judgement =
  | { readonly comparison: Comparison; readonly explanation?: Explanation }
  | { readonly failure: NonNullable<ReportTarget["failure"]> };

/**
 * Judges the two run folders `a` and `b` below a target's directory, which must be those of the runs that were just
 * executed. Throws `world/FOLDER_SHARED`, and what `compareRuns` throws.
 */
export async function judgeRuns(targetDir: string, runs: TwinRuns, options: CompareOptions): Promise<Judgement> {
  const [a, b] = [await loadRunFolder(join(targetDir, "a")), await loadRunFolder(join(targetDir, "b"))];
  if (a.run.id !== runs.a.id || b.run.id !== runs.b.id) {
    throw new TwinsealError("world", "FOLDER_SHARED", `another build wrote to ${targetDir} meanwhile`, {
      hint: "give each build a folder of its own with --out",
    });
  }
  return judgeFolders(a, b, options);
}

/** The same for two folders that were made anywhere, for example on two machines. What they say of a lock is not believed. */
export async function judgeRunFolders(
  dirA: string,
  dirB: string,
  options: { readonly lock?: Lock } = {},
): Promise<Judgement & TwinRuns> {
  const [first, second] = [await loadRunFolder(dirA), await loadRunFolder(dirB)];
  const [a, b] = first.run.side === "b" && second.run.side === "a" ? [second, first] : [first, second];
  const { lock } = options;
  if (lock !== undefined && lockDigest(lock) !== a.run.lock.sha256) {
    throw new TwinsealError("caller", "NOT_COMPARABLE", "the runs were built from another lock than the one given", {
      hint: `they name the lock ${a.run.lock.sha256}`,
    });
  }
  const excused = lock === undefined ? {} : { lockedDates: datedTexts(lock) };
  return { a: a.run, b: b.run, ...(await judgeFolders(a, b, excused)) };
}

async function judgeFolders(a: RunFolder, b: RunFolder, options: CompareOptions): Promise<Judgement> {
  if (a.run.failure !== undefined && b.run.failure !== undefined) {
    const { step, message, excerpt } = a.run.failure;
    return {
      failure: {
        code: "build-failed",
        message: `step ${step} failed in both runs: ${message}`,
        excerpt,
        log: join(a.dir, "build.log"),
      },
    };
  }
  const comparison = await compareRuns(a, b, options);
  if (comparison.verdict !== "mismatch") return { comparison };
  if (a.run.outcome !== "built" || b.run.outcome !== "built") {
    return { comparison, explanation: explainDifferences(comparison.differences, [], []) };
  }
  const [held, divergent] = await Promise.all([findHeldValues(a, b, comparison.differences), findDivergent(a, b)]);
  return { comparison, explanation: explainDifferences(comparison.differences, held, divergent) };
}

async function findHeldValues(
  a: RunFolder,
  b: RunFolder,
  differences: readonly Difference[],
): Promise<readonly HeldValue[]> {
  const differing = differences.find((one) => one.kind === "bytes");
  if (differing === undefined) return [];
  const tokens = dimensionTokens({ a: a.run.observed, b: b.run.observed });
  const texts = tokens.flatMap((one) => [...one.a, ...one.b]);
  const [left, right] = await Promise.all([a, b].map(({ dir }) => findTexts(join(dir, differing.name), texts)));
  const held = left === undefined || right === undefined ? [] : heldValues(tokens, { a: left, b: right });
  const span = ({ run }: RunFolder) => ({ time: run.observed.time, durationMs: run.durationMs });
  const clockTime = heldClockTime(differing.excerpt, { a: span(a), b: span(b) });
  return clockTime === undefined
    ? held
    : [...held.filter(isOnBothSides), clockTime, ...held.filter((one) => !isOnBothSides(one))];
}

const isOnBothSides = ({ a, b }: HeldValue) => a !== undefined && b !== undefined;

async function findDivergent(a: RunFolder, b: RunFolder): Promise<readonly DivergentPackage[]> {
  return firstDivergent(
    await readActionGraph(join(a.dir, ACTION_GRAPH)),
    await readActionGraph(join(b.dir, ACTION_GRAPH)),
  );
}

export function matchedArtifacts(judgement: Judgement): readonly Artifact[] {
  return "comparison" in judgement && judgement.comparison.verdict === "match"
    ? judgement.comparison.artifacts.artifacts
    : [];
}

/** Those of a suspect match as well: equal bytes that nobody may build on. */
export function agreedArtifacts(judgement: Judgement): readonly Artifact[] {
  return "comparison" in judgement && judgement.comparison.verdict === "suspect"
    ? judgement.comparison.artifacts
    : matchedArtifacts(judgement);
}

/** Copies a matched artifact to where people look for it; what lies there then has the judged digest. */
export async function placeArtifact(from: string, folder: string, artifact: Artifact): Promise<void> {
  const temporary = join(folder, `.${artifact.name}.${process.pid}.tmp`);
  await copyFile(from, temporary);
  const { sha256 } = await digestFile(temporary);
  if (sha256 !== artifact.sha256) {
    await rm(temporary, { force: true });
    throw new TwinsealError("alarm", "RUN_CHANGED", `${from} was changed after it was compared`);
  }
  await chmod(temporary, 0o755);
  await rename(temporary, join(folder, artifact.name));
}

/** What an earlier build left there must not be taken for this one's. */
export async function removeArtifact(folder: string, name: string): Promise<void> {
  await rm(join(folder, name), { force: true });
}
