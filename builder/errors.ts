/**
 * The one error class of this room. Its code is stable and appears in `--json`; its kind decides the exit code
 * (see `exitCodeOf` in cli/exit.ts): verdict 1, caller 2, world 3, alarm 4.
 */
export type ErrorKind = "verdict" | "caller" | "world" | "alarm";

export class TwinsealError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(
    kind: ErrorKind,
    code: string,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "TwinsealError";
    this.kind = kind;
    this.code = code;
    this.hint = options.hint;
  }
}

/** Ctrl-C, or a workflow that was cancelled: nothing was decided. */
export function interrupted(): TwinsealError {
  return new TwinsealError("world", "INTERRUPTED", "interrupted");
}

/** The text of any thrown value, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a system error such as `ENOENT`, or undefined. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
