import { isDeepStrictEqual } from "node:util";
import { checksPassed } from "./check-artifact.ts";
import { assertComparable } from "./comparable.ts";
import { dimensions } from "./dimensions.ts";
import { messageOf } from "./errors.ts";
import { reportDimension, worstOf, type Report, type ReportTarget } from "./report.ts";

/**
 * What a report says of itself that its own runs do not bear out, or undefined. A report that is made up from beginning
 * to end agrees with itself: only the bytes can be believed, by `compare` or by building again.
 */
export function contradictionOf(report: Report): string | undefined {
  if (report.verdict !== worstOf(report.targets.map(({ verdict }) => verdict)))
    return `its verdict ${report.verdict} is not that of its targets`;
  for (const target of report.targets) {
    const found = targetContradiction(target, report);
    if (found !== undefined) return `${target.platform}: ${found}`;
  }
  return undefined;
}

function targetContradiction(target: ReportTarget, report: Report): string | undefined {
  const { a, b } = target.runs;
  if (a.id === b.id || a.side === b.side) return "both runs are the same run or side";
  for (const run of [a, b]) {
    if (run.name !== report.name || run.version !== report.version || run.platform !== target.platform)
      return `run ${run.side} is of ${run.name} ${run.version} ${run.platform}`;
    if (run.lock.sha256 !== report.lock.sha256) return `run ${run.side} was built from another lock`;
    if (run.local !== report.local) return `whether run ${run.side} was built from a working tree is told in two ways`;
  }
  const seen = dimensions.map(({ id, about }) => reportDimension(id, about, a, b));
  if (!isDeepStrictEqual(seen, target.dimensions)) return "its dimensions are not what the runs' probes saw";
  return target.verdict === "mismatch" || target.verdict === "build-failed" ? undefined : equalityContradiction(target);
}

/** What must hold where the bytes are said to agree. */
function equalityContradiction(target: ReportTarget): string | undefined {
  const { artifacts, runs, check, links, verdict, findings } = target;
  if (artifacts.length === 0) return "it has no artifact";
  if (target.differences !== undefined || target.failure !== undefined || target.explanation !== undefined)
    return "it tells of differences or of a failure";
  const incomparable = whyIncomparable(target);
  if (incomparable !== undefined) return incomparable;
  for (const run of [runs.a, runs.b]) {
    if (!isDeepStrictEqual(run.artifacts, artifacts)) return `run ${run.side} made other artifacts`;
    if (run.packages.total === 0 || run.packages.compiled !== run.packages.total)
      return `run ${run.side} compiled ${run.packages.compiled} of ${run.packages.total} packages`;
  }
  if (verdict === "match" && !checksPassed({ check, links })) return "its check failed";
  if (check?.ran === true && check.passed && !printsExpected(check)) return "its check passed without what it expected";
  if (verdict === "match" && findings !== undefined) return "it holds the build's day";
  return againstContradiction(target);
}

function whyIncomparable({ runs }: ReportTarget): string | undefined {
  try {
    assertComparable(runs.a, runs.b);
  } catch (error) {
    return messageOf(error);
  }
  const failed = [runs.a, runs.b].find(({ outcome }) => outcome !== "built");
  return failed === undefined ? undefined : `run ${failed.side} failed`;
}

function printsExpected({
  expected,
  printed,
  oldest,
}: Extract<NonNullable<ReportTarget["check"]>, { ran: true }>): boolean {
  const holds = (text: string) => expected.trim() !== "" && text.includes(expected);
  return holds(printed) && (oldest?.ran !== true || !oldest.passed || holds(oldest.printed));
}

function againstContradiction({ against, artifacts }: ReportTarget): string | undefined {
  if (against === undefined) return undefined;
  const built = artifacts.find(({ name }) => name === against.artifact)?.sha256;
  const equal = built !== undefined && against.published === built;
  return against.built === built && against.equal === equal
    ? undefined
    : "what it says of the published file is not so";
}
