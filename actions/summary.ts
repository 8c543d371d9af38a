import type { Outcome } from "../cli/json.ts";
import { reportOf, type ReportView } from "./report-view.ts";

/** The step summary, Markdown with HTML tables: verdict first, then targets, then dimensions. */
export function renderSummary(outcome: Outcome): string {
  const report = reportOf(outcome);
  if (report !== undefined) return renderReport(report);
  const message = outcome.document?.["message"];
  const hint = outcome.document?.["hint"];
  return [
    `## twinseal: ${escape(outcome.code)}`,
    typeof message === "string" ? preformatted(message) : outcome.text === undefined ? "" : preformatted(outcome.text),
    typeof hint === "string" ? `<p>hint: ${escape(hint)}</p>` : "",
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function renderReport(report: ReportView): string {
  return [
    `## twinseal: ${escape(`${report.name} ${report.version}: ${report.verdict}`)}`,
    table(["platform", "verdict", "artifact", "sha256", "bytes"], report.targets.flatMap(targetRows)),
    ...report.targets.map(renderDimensions),
  ].join("\n\n");
}

function targetRows(target: ReportView["targets"][number]): readonly (readonly string[])[] {
  if (target.artifacts.length === 0) return [[target.platform, target.verdict, "", "", ""]];
  return target.artifacts.map((one) => [target.platform, target.verdict, one.name, one.sha256, String(one.sizeBytes)]);
}

function renderDimensions(target: ReportView["targets"][number]): string {
  const varied = target.dimensions.filter((dimension) => dimension.varied).length;
  const rows = target.dimensions.map(({ id, a, b, varied: differs, reason }) => [
    id,
    text(a),
    text(b),
    differs ? "varied" : (reason ?? "not varied"),
  ]);
  const title = escape(`${target.platform}: ${varied} of ${target.dimensions.length} dimensions varied`);
  return `<details><summary>${title}</summary>\n\n${table(["dimension", "A", "B", ""], rows)}\n\n</details>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join("")}</tr>`;
  return `<table>${row(head, "th")}${rows.map((cells) => row(cells, "td")).join("")}</table>`;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function preformatted(value: string): string {
  return `<pre>${escape(value)}</pre>`;
}

function escape(value: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return value.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
