import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { repository } from "../support/toolchain.ts";

/** Runs the real program to its end; throws what it said when it fails. */
export async function twinseal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const child = spawn(process.execPath, [join(repository, "cli/bin.js"), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, CI: "true", ...env },
  });
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`twinseal ${args.join(" ")}: ${text}`);
}

/** Wall time in milliseconds. */
export async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
