import { checks, type Check } from "./checks.ts";
import { runStep } from "./run-step.ts";

/**
 * `npm run check`: exactly what CI runs. All checks run even when one fails, so that one run tells everything; names as
 * arguments run only those. Exit status 0 when all passed, 1 when one failed, 2 for an unknown name.
 */
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`check: unknown: ${unknown.join(", ")}; there are ${checks.map((check) => check.name).join(", ")}`);
  process.exit(2);
}
const chosen = asked.length === 0 ? checks : checks.filter((check) => asked.includes(check.name));
const results: { check: Check; passed: boolean; durationMs: number }[] = [];
for (const check of chosen) {
  console.log(`--- ${check.name}: ${check.argv.join(" ")}`);
  const startedAt = Date.now();
  const code = await runStep(check.argv);
  results.push({ check, passed: code === 0, durationMs: Date.now() - startedAt });
}
console.log("--- what ran");
for (const { check, passed, durationMs } of results) {
  console.log(`${passed ? "ok  " : "FAIL"} ${check.name.padEnd(10)} ${(durationMs / 1000).toFixed(1).padStart(7)} s`);
}
process.exitCode = results.every((result) => result.passed) ? 0 : 1;
