import { Command } from "commander";
import { z } from "zod";
import type { CliDeps } from "../deps.ts";
import { examine, type Finding } from "../examine.ts";

export const doctorOptionsSchema = z.strictObject({});

export function doctorCommand(deps: CliDeps): Command {
  return new Command("doctor")
    .description(
      "Says what this machine can do for a build, with the reason and the fix for what it cannot. Exit code 3 when it cannot build.",
    )
    .action(async (flags: unknown) => {
      await deps.parse(doctorOptionsSchema, flags);
      const findings = await examine(deps);
      const able = !findings.some((finding) => finding.state === "no");
      deps.finish({
        exitCode: able ? 0 : 3,
        code: able ? "able" : "unable",
        document: { findings },
        text: renderFindings(findings),
      });
    });
}

const marks: Readonly<Record<Finding["state"], string>> = { yes: "ok  ", limited: "note", no: "NO  " };

export function renderFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map((finding) => finding.what.length));
  const lines = findings.flatMap((finding) => [
    `${marks[finding.state]} ${finding.what.padEnd(width)}  ${finding.reason}`,
    ...(finding.fix === undefined ? [] : [`     ${" ".repeat(width)}  fix: ${finding.fix}`]),
  ]);
  const able = !findings.some((finding) => finding.state === "no");
  return [...lines, able ? "this machine can build" : "this machine cannot build: see the lines marked NO"].join("\n");
}
