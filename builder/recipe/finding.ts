/** What `check` has to say of one place. `error` makes the exit code 2, `warning` is for a person to judge. */
export type Finding = {
  readonly severity: "error" | "warning";
  /** Stable, for machines: `LOCK_STALE`, `HOST_NOT_LOCKED`, … */
  readonly code: string;
  readonly path: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
  readonly hint?: string;
};

export function renderFinding(finding: Finding): string {
  const { severity, path, line, column, message, hint } = finding;
  const place = [path, line, column].filter((part) => part !== undefined).join(":");
  return `${place}: ${severity}: ${message}${hint === undefined ? "" : `; ${hint}`}`;
}
