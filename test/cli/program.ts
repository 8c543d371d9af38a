import { spawn } from "node:child_process";
import { join } from "node:path";

export const packageRoot = join(import.meta.dirname, "../..");
export const binPath = join(packageRoot, "cli", "bin.js");

export type Ended = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs the real program as a person would. */
export function runProgram(
  argv: readonly string[],
  options: {
    readonly node?: string;
    readonly bin?: string;
    readonly env?: Record<string, string>;
    readonly cwd?: string;
  } = {},
): Promise<Ended> {
  const child = spawn(options.node ?? process.execPath, [options.bin ?? binPath, ...argv], {
    cwd: options.cwd ?? packageRoot,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
