import type { Outcome } from "../cli/json.ts";
import { reportOf } from "./report-view.ts";

/** Outputs of action.yml; one that a command does not have is an empty string. */
export const outputNames = ["code", "verdict", "report", "report-html", "folder", "sha256", "artifacts"] as const;
export type Outputs = Readonly<Record<(typeof outputNames)[number], string>>;

export function outputsOf(outcome: Outcome): Outputs {
  const report = reportOf(outcome);
  // Only what matched has a digest that anyone may build on.
  const matched = (report?.targets ?? [])
    .filter((target) => target.verdict === "match")
    .flatMap((target) => target.artifacts);
  return {
    code: outcome.code,
    verdict: report?.verdict ?? "",
    report: textOf(outcome, "reportPath"),
    "report-html": textOf(outcome, "htmlPath"),
    folder: textOf(outcome, "folder"),
    sha256: matched.length === 1 ? (matched[0]?.sha256 ?? "") : "",
    artifacts: JSON.stringify(matched.map(({ name, sha256, sizeBytes }) => ({ name, sha256, sizeBytes }))),
  };
}

function textOf(outcome: Outcome, key: string): string {
  const value = outcome.document?.[key];
  return typeof value === "string" ? value : "";
}
