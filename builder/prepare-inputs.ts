import { join } from "node:path";
import type { Subject } from "./build-target.ts";
import { TwinsealError } from "./errors.ts";
import type { HostInputs } from "./execute.ts";
import type { HostFacts } from "./host.ts";
import { offerModules } from "./inputs/go-modules.ts";
import { toolchainTree } from "./inputs/go-toolchain.ts";
import { materializeSource, placeFiles } from "./inputs/source.ts";
import type { Lock, LockedToolchain } from "./recipe/lock.ts";
import type { Store } from "./store/store.ts";

/** Lays out below `workDir` what both sandboxes read, every byte digested again. */
export async function prepareInputs(
  { lock, recipe, recipeDir }: Subject,
  toolchain: LockedToolchain,
  store: Store,
  workDir: string,
): Promise<HostInputs> {
  const inputs = {
    toolchainDir: await toolchainTree(store, toolchain),
    modulesDir: join(workDir, "modules"),
    sourceDir: join(workDir, "source"),
  };
  await offerModules(store, lock.modules, inputs.modulesDir);
  await materializeSource(lock.source, { store, recipeDir }, inputs.sourceDir);
  await placeFiles(lock.files, recipe.files ?? [], store, inputs.sourceDir);
  return inputs;
}

/** The toolchain that runs here. Throws `caller/TOOLCHAIN_NOT_LOCKED`. */
export function hostToolchain(lock: Lock, host: HostFacts): LockedToolchain {
  const toolchain = lock.go.toolchains.find((one) => one.host === host.platform);
  if (toolchain === undefined) {
    throw new TwinsealError("caller", "TOOLCHAIN_NOT_LOCKED", `the lock has no Go toolchain for ${host.platform}`, {
      hint: "run twinseal pin",
    });
  }
  return toolchain;
}
