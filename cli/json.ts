import type { ExitCode } from "./exit.ts";

/**
 * What a command ends with. With `--json` exactly `{code, ...document}` goes to standard output; without it `text` goes
 * to people, on standard error.
 */
export type Outcome = {
  readonly exitCode: ExitCode;
  /** Stable string for machines, for example `match`, `mismatch`, `build-failed`, `pinned`. */
  readonly code: string;
  readonly document?: Readonly<Record<string, unknown>>;
  readonly text?: string;
};

export function renderDocument(outcome: Outcome): string {
  return `${JSON.stringify({ code: outcome.code, exitCode: outcome.exitCode, ...outcome.document }, null, 2)}\n`;
}
