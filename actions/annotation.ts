import type { Outcome } from "../cli/json.ts";

export type Annotation = {
  readonly message: string;
  readonly properties: {
    readonly title: string;
    readonly file?: string;
    readonly startLine?: number;
    readonly startColumn?: number;
  };
};

/** What is shown beside the code: an error with the place that its message names, or the verdict that failed. */
export function annotationOf(outcome: Outcome, cwd: string): Annotation | undefined {
  if (outcome.exitCode === 0) return undefined;
  const title = `twinseal: ${outcome.code}`;
  const told = outcome.document?.["message"];
  if (typeof told !== "string") return { message: outcome.text ?? outcome.code, properties: { title } };
  const hint = outcome.document?.["hint"];
  const message = typeof hint === "string" ? `${told}\nhint: ${hint}` : told;
  const place = /^(?<file>[^\s:][^:\n]*\.(?:ya?ml|json)):(?<line>\d+):(?<column>\d+): /.exec(told)?.groups;
  if (place === undefined) return { message, properties: { title } };
  return {
    message,
    properties: {
      title,
      file: relativeTo(cwd, place["file"] ?? ""),
      startLine: Number(place["line"]),
      startColumn: Number(place["column"]),
    },
  };
}

function relativeTo(cwd: string, path: string): string {
  return path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;
}
