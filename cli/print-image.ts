import { TwinsealError } from "../builder/errors.ts";
import type { CliDeps } from "./deps.ts";

/** Ends `pin --resolve-image`: the name with its digest, alone on standard output. */
export async function printImage(name: string, spec: string | undefined, deps: CliDeps): Promise<void> {
  if (spec !== undefined) {
    throw new TwinsealError("caller", "USAGE", "--resolve-image pins nothing", {
      hint: `write the digest into the recipe, then run twinseal pin ${spec}`,
    });
  }
  const { resolveImage } = await import("../builder/recipe/pin-image.ts");
  const { http, registryAuth, signal } = deps;
  const image = await resolveImage(name, { http: await http(), registryAuth, signal });
  deps.finish({ exitCode: 0, code: "image-resolved", document: { image } });
  if (!deps.json) deps.print(`${image}\n`);
}
