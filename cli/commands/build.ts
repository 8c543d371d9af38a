import { Command, Option } from "commander";
import { buildRecipe, type BuildDeps, type BuildResult } from "../../builder/build.ts";
import { buildOptionsSchema } from "../../builder/build-options.ts";
import { gitEnvOf } from "../../builder/inputs/git.ts";
import { readHost } from "../../builder/host.ts";
import type { CliDeps } from "../deps.ts";
import type { Outcome } from "../json.ts";
import { renderPlannedTarget } from "../render-plan.ts";
import { renderVerdicts, reportOutcome } from "../render-report.ts";
import { flagOf } from "../voice.ts";

const { shape } = buildOptionsSchema;

/** Help text and flag of an option come from the schema that both doors share. */
function option(name: keyof typeof shape, value = ""): Option {
  return new Option(`${flagOf(name)}${value}`, shape[name].description ?? "");
}

export function buildCommand(deps: CliDeps): Command {
  return new Command("build")
    .argument("[spec]", shape.spec.description ?? "")
    .addOption(
      option("target", " <platform>").argParser((value: string, all: string[] | undefined) => [...(all ?? []), value]),
    )
    .addOption(option("allTargets"))
    .addOption(option("out", " <dir>"))
    .addOption(option("sequential"))
    .addOption(option("offline"))
    .addOption(option("dryRun"))
    .addOption(option("against", " <file|SHA256SUMS|sha256:…>"))
    .addOption(option("driver", " <name>").env("TWINSEAL_DRIVER"))
    .addOption(option("timeoutMinutes", " <minutes>").argParser(Number))
    .action(async (spec: string | undefined, flags: Record<string, unknown>) => {
      const options = await deps.parse(buildOptionsSchema, { spec, ...flags });
      const progress = await deps.progress();
      try {
        const result = await buildRecipe(options, {
          ...(await buildDeps(deps)),
          onFetch: (fetched) => progress.fetch(fetched),
          onLane: (platform, state) => progress.lane(platform, state.side, state),
          onLine: (text) => progress.line(text),
        });
        progress.close();
        deps.finish(buildOutcome(result));
      } finally {
        progress.close();
      }
    });
}

/** What the operation needs of the world, without anyone to tell of progress. */
export async function buildDeps(deps: CliDeps): Promise<BuildDeps> {
  return {
    cwd: deps.cwd,
    manifestsDir: deps.manifestsDir,
    store: await deps.store(),
    http: await deps.http(),
    proxies: deps.proxies,
    debianMirrors: deps.debianMirrors,
    host: readHost(),
    gitEnv: gitEnvOf(deps.env),
    registryAuth: deps.registryAuth,
    driver: {
      insideDir: deps.insideDir,
      helperDir: deps.helperDir,
      uid: deps.uid,
      gid: deps.gid,
      arch: deps.arch,
      env: deps.env,
    },
    toolVersion: deps.toolVersion,
    now: deps.now,
    signal: deps.signal,
  };
}

export function buildOutcome(result: BuildResult): Outcome {
  if (result.kind === "planned") {
    const { name, version, targets } = result;
    return {
      exitCode: 0,
      code: "planned",
      document: { name, version, targets },
      text: targets.map(renderPlannedTarget).join("\n"),
    };
  }
  const { report, reportPath, htmlPath, folder } = result;
  return {
    ...reportOutcome(report),
    document: { report, reportPath, htmlPath, folder },
    text: `${renderVerdicts(report, folder)}\nreport: ${reportPath}\n        ${htmlPath}\n`,
  };
}
