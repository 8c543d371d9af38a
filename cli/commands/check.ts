import { Command } from "commander";
import { relative } from "node:path";
import { z } from "zod";
import { renderFinding, type Finding } from "../../builder/recipe/finding.ts";
import { lintRecipes, type Lint } from "../../builder/recipe/lint.ts";
import type { CliDeps } from "../deps.ts";

export const checkOptionsSchema = z.strictObject({
  names: z
    .array(z.string().min(1))
    .describe("recipes to check, as name or name@version; default: ./twinseal.yaml, else all"),
});

/** A wrong recipe or lock is the caller's mistake, exit 2; warnings leave it at 0. */
export function checkCommand(deps: CliDeps): Command {
  return new Command("check")
    .description(
      "Checks recipes and their locks: no network, nothing built; inputs that are fetched already are looked into. A wrong one is exit 2; warnings are not.",
    )
    .argument("[names...]", checkOptionsSchema.shape.names.description)
    .action(async (names: string[]) => {
      const options = await deps.parse(checkOptionsSchema, { names });
      // Without a store there are no inputs to look into, and nothing else needs one.
      const inputs = await deps.store().catch(() => undefined);
      const lint = await lintRecipes(options.names, { ...deps, inputs });
      const shown = {
        ...lint,
        findings: lint.findings.map((finding) => ({ ...finding, path: shortPath(finding.path, deps.cwd) })),
      };
      const failed = lint.findings.some((finding) => finding.severity === "error");
      deps.finish({
        exitCode: failed ? 2 : 0,
        code: failed ? "check-failed" : "checked",
        document: {
          ...shown,
          recipes: lint.recipes.map((path) => shortPath(path, deps.cwd)),
          locks: lint.locks.map((path) => shortPath(path, deps.cwd)),
        },
        text: renderLint(shown),
      });
    });
}

export function renderLint(lint: Lint): string {
  const count = (severity: Finding["severity"]) =>
    plural(lint.findings.filter((finding) => finding.severity === severity).length, severity);
  const summary = `${plural(lint.recipes.length, "recipe")} and ${plural(lint.locks.length, "lock")} checked: ${count("error")}, ${count("warning")}`;
  return [...lint.findings.map(renderFinding), summary].join("\n");
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** As seen from where the person stands; a path far away stays as it is. */
function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") ? path : short;
}
