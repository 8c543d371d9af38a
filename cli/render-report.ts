import { join } from "node:path";
import { relationOf } from "../builder/against.ts";
import { countVaried, type Report, type ReportTarget } from "../builder/report.ts";
import type { ExitCode } from "./exit.ts";

/** Exit code and stable word of a report: 0 only for a match that is also the published file, where one was named. */
export function reportOutcome(report: Report): { exitCode: ExitCode; code: string } {
  if (report.verdict !== "match") return { exitCode: 1, code: report.verdict };
  if (report.targets.some(({ against }) => against?.equal === false))
    return { exitCode: 1, code: "differs-from-published" };
  return { exitCode: 0, code: "match" };
}

/** One verdict line per target, and below it what its reader has to know. */
export function renderVerdicts(report: Report, folder?: string): string {
  return report.targets.flatMap((target) => [verdictLine(report, target), ...details(target, folder)]).join("\n");
}

function verdictLine(report: Report, target: ReportTarget): string {
  const { varied, all } = countVaried(target);
  const [program] = target.artifacts;
  return [
    `${report.name} ${report.version}`,
    target.platform,
    target.verdict,
    ...(program === undefined ? [] : [digestOf(program)]),
    `${varied} of ${all} dimensions varied`,
  ].join("  ");
}

function digestOf({ sha256, sizeBytes }: ReportTarget["artifacts"][number]): string {
  return `sha256 ${sha256}  ${(sizeBytes / 1e6).toFixed(1)} MB`;
}

function details(target: ReportTarget, folder: string | undefined): readonly string[] {
  return [
    ...(target.failure === undefined
      ? []
      : [
          ...target.failure.excerpt.map((line) => `  ${line}`),
          `  ${target.failure.message}`,
          `  log: ${target.failure.log}`,
        ]),
    ...(target.verdict === "mismatch" ? [target.runs.a, target.runs.b].flatMap(describeSide) : []),
    ...(target.differences ?? []).map((difference) => `  ${describe(difference)}`),
    ...(target.findings ?? []).map(
      ({ artifact, offset, text }) =>
        `  ${artifact} holds the build's day, ${JSON.stringify(text)}, at byte ${offset}: both runs shared it, so the match may be chance`,
    ),
    ...(target.explanation === undefined ? [] : [`  ${target.explanation.text}`, `  hint: ${target.explanation.hint}`]),
    ...target.artifacts.slice(1).map((one) => `  beside it: ${one.name}  ${digestOf(one)}`),
    ...(target.check === undefined ? [] : [`  ${describeCheck(target.check)}`]),
    ...(target.links === undefined ? [] : describeLinks(target.links)),
    ...(target.against === undefined ? [] : describeAgainst(target.against)),
    ...(folder === undefined || target.verdict !== "match"
      ? []
      : target.artifacts.map(({ name }) => `  artifact: ${join(folder, name)}`)),
    ...(target.runs.a.local ? ["  built from a working tree: it can never be sealed"] : []),
    ...(folder === undefined || target.verdict === "match"
      ? []
      : [`  both runs are kept in ${join(folder, target.platform.replace("/", "-"))}`]),
  ];
}

function describeSide({ side, artifacts }: ReportTarget["runs"]["a"]): readonly string[] {
  return artifacts.map(({ sha256, sizeBytes }) => `  ${side.toUpperCase()}: sha256 ${sha256}, ${sizeBytes} bytes`);
}

function describe(difference: NonNullable<ReportTarget["differences"]>[number]): string {
  switch (difference.kind) {
    case "bytes": {
      const { name, differingBytes, firstOffset, section, symbol, sizeBytes, rangeCount } = difference;
      const size = sizeBytes.a === sizeBytes.b ? "" : `, sizes ${sizeBytes.a} and ${sizeBytes.b}`;
      return `${name}: ${differingBytes} bytes differ in ${rangeCount === 1 ? "1 place" : `${rangeCount} places`}, first at ${firstOffset}${section === undefined ? "" : ` in ${section}`}${symbol === undefined ? "" : ` (${symbol})`}${size}`;
    }
    case "only-in-a":
    case "only-in-b":
      return `${difference.name} was made by ${difference.kind === "only-in-a" ? "A" : "B"} only`;
    case "failed-in-a":
    case "failed-in-b":
      return `the build failed in ${difference.kind === "failed-in-a" ? "A" : "B"} only: ${difference.message}`;
  }
}

function describeCheck(check: NonNullable<ReportTarget["check"]>): string {
  if (!check.ran) return `check: not run, ${check.reason}`;
  const [first = ""] = check.printed.trim().split("\n");
  if (!check.passed) return `check: it does not print ${JSON.stringify(check.expected)} but ${JSON.stringify(first)}`;
  return `check: it prints ${JSON.stringify(check.expected)}${check.oldest === undefined ? "" : describeOldest(check.oldest)}`;
}

type Oldest = NonNullable<Extract<NonNullable<ReportTarget["check"]>, { ran: true }>["oldest"]>;

function describeOldest(oldest: Oldest): string {
  if (!oldest.ran) return `; not tried on the oldest processor it is for: ${oldest.reason}`;
  const [last = ""] = oldest.printed.trim().split("\n").slice(-1);
  return oldest.passed
    ? `, on an emulated ${oldest.processor} too`
    : `, but not on the oldest processor it is for (${oldest.processor}, emulated): ${JSON.stringify(last)}`;
}

function describeLinks({ needed, glibc, faults }: NonNullable<ReportTarget["links"]>): readonly string[] {
  if (faults.length > 0) return faults.map((fault) => `  links: ${fault}`);
  const what = needed.length === 0 ? "it is static" : `it needs ${needed.join(", ")}`;
  return [`  links: ${what}${glibc === undefined ? "" : `, glibc ${glibc} or newer`}`];
}

function describeAgainst(against: NonNullable<ReportTarget["against"]>): readonly string[] {
  return [
    `  ${relationOf(against)} the published one`,
    `    published ${against.published === undefined ? `nothing for ${against.artifact}` : `sha256 ${against.published}`}`,
    `    built     ${against.built === undefined ? "nothing that both builds agree on" : `sha256 ${against.built}`}`,
  ];
}
