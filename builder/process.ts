import { spawn } from "node:child_process";
import { TwinsealError, interrupted, messageOf } from "./errors.ts";

export type ProcessResult = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type ProcessOptions = {
  readonly cwd?: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** More output than this ends the process with an error. */
  readonly maxOutputBytes?: number;
  readonly stdin?: string | Uint8Array;
  readonly signal?: AbortSignal;
};

/**
 * Runs a program to its end and returns its exit code unjudged; the only spawn in this room besides the sandbox
 * drivers. Throws `world/PROCESS_NOT_STARTED`, `world/PROCESS_TIMED_OUT` or `world/PROCESS_TOO_LOUD`.
 */
export async function runProcess(
  argv: readonly [string, ...string[]],
  options: ProcessOptions,
): Promise<ProcessResult> {
  const [file, ...args] = argv;
  const maxOutputBytes = options.maxOutputBytes ?? 64 << 20;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: "pipe",
    ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: "SIGKILL" as const }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let sizeBytes = 0;
  let fault: TwinsealError | undefined;
  const stop = (code: string, message: string) => {
    fault ??= new TwinsealError("world", code, message);
    child.kill("SIGKILL");
  };
  const timer = setTimeout(
    () => stop("PROCESS_TIMED_OUT", `${file} was stopped after ${options.timeoutMs / 1000} s`),
    options.timeoutMs,
  );
  for (const [stream, chunks] of [
    [child.stdout, stdout],
    [child.stderr, stderr],
  ] as const) {
    stream.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > maxOutputBytes) stop("PROCESS_TOO_LOUD", `${file} printed too much`);
      else chunks.push(chunk);
    });
  }
  child.stdin.on("error", () => {}); // the program may end without reading its input: its exit code tells
  child.stdin.end(options.stdin ?? "");
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", (error) =>
        reject(
          options.signal?.aborted === true
            ? interrupted()
            : new TwinsealError("world", "PROCESS_NOT_STARTED", `starting ${file}: ${messageOf(error)}`, {
                cause: error,
              }),
        ),
      );
      child.on("close", (code, signal) => {
        if (fault !== undefined) reject(fault);
        else {
          resolve({
            code,
            signal,
            stdout: Buffer.concat(stdout).toString("utf8"),
            stderr: Buffer.concat(stderr).toString("utf8"),
          });
        }
      });
    });
  } finally {
    clearTimeout(timer);
  }
}
