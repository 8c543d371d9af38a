import type { ZodError } from "zod";
import { TwinsealError, messageOf, systemCodeOf } from "../builder/errors.ts";

/** What is told of an error, to people as text and to machines as part of the `--json` document. */
export type ToldError = { readonly code: string; readonly message: string; readonly hint?: string };

/** An error in our own voice; what we did not foresee is named as such, with its stack for a bug report. */
export function tellError(error: unknown): ToldError {
  if (error instanceof TwinsealError) {
    return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
  const io = tellSystemError(error);
  if (io !== undefined) return io;
  return {
    code: "UNEXPECTED",
    message: `unexpected failure: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`,
    hint: "this is a fault of twinseal or of this machine, not a verdict; please report it",
  };
}

const systemErrors: Readonly<Record<string, string>> = {
  ENOTDIR: "something on the way there is a file; name another directory",
  EEXIST: "it is there already; name another place",
  EISDIR: "it is a directory; name a file",
  EACCES: "look at its permissions, or name another place",
  EPERM: "look at its permissions, or name another place",
  EROFS: "the file system is read-only; name another place",
  ENOSPC: "free some space",
  EDQUOT: "free some space",
  EMFILE: "raise the limit of open files (ulimit -n)",
  ENFILE: "raise the limit of open files (ulimit -n)",
};

/** The file system's usual refusals, without a stack. */
function tellSystemError(error: unknown): ToldError | undefined {
  const code = systemCodeOf(error);
  const hint = code === undefined ? undefined : systemErrors[code];
  return hint === undefined ? undefined : { code: "IO_FAILED", message: messageOf(error), hint };
}

export function renderError(error: ToldError): string {
  return `twinseal: ${error.message}\n${error.hint === undefined ? "" : `hint: ${error.hint}\n`}`;
}

/** Options that a schema refuses, as the caller's mistake: `--out: what is wrong`. */
export function optionsError(error: ZodError): TwinsealError {
  const lines = error.issues.map((issue) => {
    const [name] = issue.path;
    return `${typeof name === "string" ? `${flagOf(name)}: ` : ""}${lowerFirst(issue.message)}`;
  });
  return new TwinsealError("caller", "OPTIONS_INVALID", lines.join("; "), { hint: "see --help" });
}

/** `allTargets` -> `--all-targets`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
