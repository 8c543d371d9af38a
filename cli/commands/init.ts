import { Command } from "commander";
import { z } from "zod";
import { initRecipe, type InitResult } from "../../builder/recipe/init.ts";
import type { CliDeps } from "../deps.ts";

export const initOptionsSchema = z.strictObject({
  fromModule: z
    .union([z.string().regex(/^[A-Za-z0-9._~/-]+$/, "is not a Go module path"), z.literal(true)])
    .optional()
    .describe("take the source from the module proxy, under this path or the one that go.mod names"),
  force: z.boolean().default(false).describe("write over a twinseal.yaml that is there"),
});

export function initCommand(deps: CliDeps): Command {
  return new Command("init")
    .description("Writes twinseal.yaml for the Go project you stand in, from its go.mod, main packages and tags.")
    .option("--from-module [path]", initOptionsSchema.shape.fromModule.description)
    .option("--force", initOptionsSchema.shape.force.description)
    .action(async (given: unknown) => {
      const options = await deps.parse(initOptionsSchema, given);
      const fromModule = options.fromModule === true ? "" : options.fromModule;
      const result = await initRecipe({ fromModule, force: options.force }, deps);
      deps.finish({ exitCode: 0, code: "written", document: { ...result }, text: renderInit(result) });
    });
}

export function renderInit(result: InitResult): string {
  const others = result.otherPackages.length === 0 ? "" : `\nother main packages: ${result.otherPackages.join(" ")}`;
  return `wrote ${result.path}: ${result.name} from ${result.mainPackage}${others}\nnext: twinseal check, then twinseal pin ${result.name}@${result.version ?? "<version>"}`;
}
