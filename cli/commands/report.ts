import { readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { TwinsealError, messageOf } from "../../builder/errors.ts";
import { contradictionOf } from "../../builder/report-consistency.ts";
import { reportSchema, type Report } from "../../builder/report.ts";
import { renderReportHtml } from "../../builder/report-html.ts";
import { runProcess } from "../../builder/process.ts";
import type { CliDeps } from "../deps.ts";
import { renderVerdicts, reportOutcome } from "../render-report.ts";

const optionsSchema = z.strictObject({ html: z.string().min(1).optional(), open: z.boolean().default(false) });

export function reportCommand(deps: CliDeps): Command {
  return new Command("report")
    .argument("[report]", "report.json, or the folder it lies in", ".")
    .option("--html <file>", "render it again as HTML into this file")
    .option("--open", "open the HTML in a browser")
    .action(async (place: string, flags: unknown) => {
      const options = await deps.parse(optionsSchema, flags);
      const path = await reportPath(resolve(deps.cwd, place));
      const report = await loadReport(path);
      const html = resolve(deps.cwd, options.html ?? path.replace(/\.json$/, ".html"));
      const written = options.html !== undefined || options.open;
      if (written) await writeFile(html, renderReportHtml(report));
      if (options.open) await runProcess(["xdg-open", html], { env: stringsOf(deps.env), timeoutMs: 10_000 });
      deps.finish({
        ...reportOutcome(report),
        document: { report },
        text: `${renderVerdicts(report)}\n${written ? `html: ${html}\n` : ""}`,
      });
    });
}

async function reportPath(place: string): Promise<string> {
  const found = await stat(place).catch(() => undefined);
  return found?.isDirectory() === true ? join(place, "report.json") : place;
}

async function loadReport(path: string): Promise<Report> {
  const report = await parseReport(path);
  const contradiction = contradictionOf(report);
  if (contradiction === undefined) return report;
  throw new TwinsealError("alarm", "REPORT_CONTRADICTS", `${path} contradicts itself: ${contradiction}`, {
    hint: "it was changed after it was written; judge the runs themselves: twinseal compare DIR_A DIR_B",
  });
}

async function parseReport(path: string): Promise<Report> {
  try {
    return reportSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new TwinsealError("caller", "REPORT_INVALID", `reading ${path}: ${why}`, {
      cause: error,
      hint: "name a report.json that twinseal build wrote",
    });
  }
}

function stringsOf(env: CliDeps["env"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
