import { TwinsealError, type ErrorKind } from "../builder/errors.ts";

/**
 * 0 done and good · 1 a negative verdict · 2 the caller's mistake · 3 the world failed · 4 alarm: evidence of tampering.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4;

const exitCodes: Readonly<Record<ErrorKind, ExitCode>> = { verdict: 1, caller: 2, world: 3, alarm: 4 };

/** The exit code of anything thrown; what we do not know is no verdict and no success: 3. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof TwinsealError ? exitCodes[error.kind] : 3;
}

export const exitCodeHelp = `Exit codes:
  0  done and good
  1  a negative verdict: bytes differ, the match is suspect, a build fails to compile,
     the program fails its check, it is not the published one
  2  the caller's mistake: arguments, recipe, lock
  3  the world failed: network, disk, memory, kernel; also Ctrl-C
  4  alarm, evidence of tampering: a digest of store, lock or log does not fit`;
