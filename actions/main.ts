import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as core from "@actions/core";
import { annotationOf } from "./annotation.ts";
import { outputsOf } from "./outputs.ts";
import { runAction } from "./run.ts";
import { renderSummary } from "./summary.ts";

/** The only file that talks to the runner: inputs in, outputs, summary and annotations out. */
async function main(): Promise<void> {
  const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));
  const cwd = process.env["GITHUB_WORKSPACE"] ?? process.cwd();
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  // What a build prints is not ours: the runner must not take a line of it for a command.
  const token = randomUUID();
  process.stdout.write(`::stop-commands::${token}\n`);
  const outcome = await runAction({
    read: (name) => core.getInput(name),
    env: process.env,
    cwd,
    packageRoot,
    toolVersion: versionOf(packageRoot),
    signal: stop.signal,
    write: (text) => void process.stdout.write(text),
  });
  process.stdout.write(`\n::${token}::\n`);
  for (const [name, value] of Object.entries(outputsOf(outcome))) core.setOutput(name, value);
  if (process.env["GITHUB_STEP_SUMMARY"] !== undefined) await core.summary.addRaw(renderSummary(outcome), true).write();
  const annotation = annotationOf(outcome, cwd);
  if (annotation !== undefined) core.error(annotation.message, annotation.properties);
  process.exitCode = outcome.exitCode;
}

function versionOf(packageRoot: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}

await main();
