import { spawn, type ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import type { SandboxEvent, SandboxRun } from "./driver.ts";
import { createEventReader, type ReceiveFile } from "./events.ts";
import { refusal } from "./failure.ts";

/** The process that is, or stands for, a sandbox. Its standard output is init's. */
export type WatchedSandbox = {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Writes what init is told, and leaves the pipe open: its end is the sandbox's. */
  readonly feed?: (stdin: Writable) => Promise<void>;
  readonly receiveFile: ReceiveFile;
  /** Ends the sandbox by force; standard input is closed already. Never throws. */
  readonly kill: (child: ChildProcess) => Promise<void>;
  readonly notStarted: (error: Error) => TwinsealError;
  /** Why it ended without having finished; `errors` is what it said. */
  readonly explain: (code: number | null, signal: string | null, errors: string) => Promise<TwinsealError>;
};

const MAX_ERROR_CHARS = 65_536;

/** Follows a sandbox to its end, whichever driver made it: events, time limit, interrupt, and why it failed. */
export async function watchSandbox(sandbox: WatchedSandbox, run: SandboxRun): Promise<readonly string[]> {
  const [file, ...args] = sandbox.argv;
  const child = spawn(file, args, {
    env: { ...sandbox.env },
    stdio: "pipe",
    detached: true, // Ctrl-C reaches us alone, and we end the sandbox
  });
  let files: readonly string[] | undefined;
  let fault: TwinsealError | undefined;
  let killing: Promise<void> | undefined;
  let errors = "";
  const stop = (error: TwinsealError) => {
    fault ??= error;
    child.stdin.destroy();
    killing ??= sandbox.kill(child);
  };
  const onEvent = (event: SandboxEvent) => {
    if (event.event === "done") files = event.files;
    if (event.event === "error") fault ??= refusal(event.step, event.text);
    run.onEvent(event);
  };
  child.stderr.on("data", (chunk: Buffer) => {
    if (errors.length < MAX_ERROR_CHARS) errors += chunk.toString("utf8");
  });
  child.stdin.on("error", () => {}); // it closes when the sandbox ends
  const timer = setTimeout(() => stop(timedOut(run.timeoutMs)), run.timeoutMs);
  const abort = () => stop(new TwinsealError("world", "INTERRUPTED", "interrupted"));
  if (run.signal?.aborted === true) abort();
  run.signal?.addEventListener("abort", abort, { once: true });
  try {
    const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.on("error", (error) => reject(sandbox.notStarted(error)));
      child.on("close", (code, signal) => resolve({ code, signal }));
    });
    const reading = readEvents(child.stdout, createEventReader(onEvent, sandbox.receiveFile)).catch((error: unknown) =>
      stop(unreadable(error)),
    );
    const feeding = sandbox.feed?.(child.stdin).catch((error: unknown) => {
      // A sandbox that ended says itself why it did.
      if (!endedEarly(error)) stop(unreadable(error));
    });
    const { code, signal } = await ended;
    await Promise.all([reading, feeding, killing]);
    if (fault !== undefined) throw fault;
    if (files === undefined || code !== 0) throw await sandbox.explain(code, signal, errors.trim());
    return files;
  } finally {
    clearTimeout(timer);
    run.signal?.removeEventListener("abort", abort);
  }
}

async function readEvents(stdout: AsyncIterable<Buffer>, read: (chunk: Buffer) => Promise<void>): Promise<void> {
  for await (const chunk of stdout) await read(chunk);
}

function endedEarly(error: unknown): boolean {
  return [
    "EPIPE",
    "ECONNRESET",
    "ERR_STREAM_PREMATURE_CLOSE",
    "ERR_STREAM_DESTROYED",
    "ERR_STREAM_UNABLE_TO_PIPE",
  ].includes(systemCodeOf(error) ?? "");
}

function unreadable(error: unknown): TwinsealError {
  if (error instanceof TwinsealError) return error;
  return new TwinsealError("world", "SANDBOX_FAILED", `talking to the sandbox: ${messageOf(error)}`, { cause: error });
}

function timedOut(timeoutMs: number): TwinsealError {
  return new TwinsealError("world", "SANDBOX_TIMED_OUT", `the sandbox was stopped after ${timeoutMs / 1000} s`, {
    hint: "raise the limit with --timeout-minutes",
  });
}
