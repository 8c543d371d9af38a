import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { judgeRunFolders } from "../../builder/judge.ts";
import { loadLock } from "../../builder/recipe/load-lock.ts";
import { makeReport } from "../../builder/report.ts";
import { renderReportHtml } from "../../builder/report-html.ts";
import type { CliDeps } from "../deps.ts";
import { renderVerdicts, reportOutcome } from "../render-report.ts";

const optionsSchema = z.strictObject({ out: z.string().min(1).optional(), lock: z.string().min(1).optional() });

export function compareCommand(deps: CliDeps): Command {
  return new Command("compare")
    .argument("<dir-a>", "folder of one run, with its run.json")
    .argument("<dir-b>", "folder of the other run")
    .option("--out <dir>", "write report.json and report.html there")
    .option("--lock <file>", "the lock that both were built from: days that stand in it are no leak")
    .action(async (dirA: string, dirB: string, flags: unknown) => {
      const { out, lock } = await deps.parse(optionsSchema, flags);
      const options = lock === undefined ? {} : { lock: await loadLock(resolve(deps.cwd, lock)) };
      const judged = await judgeRunFolders(resolve(deps.cwd, dirA), resolve(deps.cwd, dirB), options);
      const { a } = judged;
      const report = makeReport({
        name: a.name,
        version: a.version,
        lockSha256: a.lock.sha256,
        tool: { version: deps.toolVersion },
        createdAt: new Date(deps.now()).toISOString(),
        targets: [{ platform: a.platform, ...judged }],
      });
      if (out !== undefined) {
        const dir = resolve(deps.cwd, out);
        await mkdir(dir, { recursive: true });
        await writeFile(join(dir, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
        await writeFile(join(dir, "report.html"), renderReportHtml(report));
      }
      deps.finish({
        ...reportOutcome(report),
        document: { report, dir: dirname(resolve(deps.cwd, dirA)) },
        text: `${renderVerdicts(report)}\n${out === undefined ? "" : `report: ${join(resolve(deps.cwd, out), "report.json")}\n`}`,
      });
    });
}
