import { resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { readHost } from "../../builder/host.ts";
import { withoutMade } from "../../builder/inputs/fetch-compiler.ts";
import { fetchInputs } from "../../builder/inputs/fetch.ts";
import { gitEnvOf } from "../../builder/inputs/git.ts";
import { nowhere, planFetch } from "../../builder/inputs/plan-fetch.ts";
import { compilerTree } from "../../builder/prepare-inputs.ts";
import { findRecipe } from "../../builder/recipe/catalog.ts";
import { loadLocked } from "../../builder/recipe/load-locked.ts";
import { verifyBlob } from "../../builder/store/store.ts";
import type { CliDeps } from "../deps.ts";

const optionsSchema = z.strictObject({
  spec: z.string().min(1).optional(),
  offline: z.boolean().default(false),
  imageFrom: z.string().min(1).optional(),
});

export function fetchCommand(deps: CliDeps): Command {
  return new Command("fetch")
    .argument("[spec]", "recipe, as name or name@version; without it ./twinseal.yaml")
    .option("--offline", "fetch nothing: digest what is there, and fail when something is missing")
    .option(
      "--image-from <path>",
      "take the compiler's image from an OCI layout or a docker save file; the lock's digests hold",
    )
    .action(async (spec: string | undefined, flags: Record<string, unknown>) => {
      const options = await deps.parse(optionsSchema, { spec, ...flags });
      const found = await findRecipe(options.spec, deps);
      const { lock } = await loadLocked(found);
      const store = await deps.store();
      const host = readHost().platform;
      const progress = await deps.progress();
      try {
        await fetchInputs(lock, {
          store,
          http: await deps.http(),
          proxies: deps.proxies,
          debianMirrors: deps.debianMirrors,
          host,
          offline: options.offline,
          gitEnv: gitEnvOf(deps.env),
          registryAuth: deps.registryAuth,
          imageFrom: options.imageFrom === undefined ? undefined : resolve(deps.cwd, options.imageFrom),
          onProgress: (fetched) => progress.fetch(fetched),
          signal: deps.signal,
        });
      } finally {
        progress.close();
      }
      const unmade = await withoutMade(lock, store);
      if (lock.compiler !== undefined && unmade.compiler === undefined) await compilerTree(store, lock.compiler);
      const blobs = planFetch(unmade, host, nowhere);
      // What was there already was only looked at; a fetch that says "complete" has digested it.
      for (const { sha256 } of blobs) await verifyBlob(store, sha256);
      const sizeBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
      deps.finish({
        exitCode: 0,
        code: "fetched",
        document: { name: lock.name, version: lock.version, host, files: blobs.length, sizeBytes, store: store.root },
        text: `the store has all ${blobs.length} inputs of ${lock.name} ${lock.version} on ${host}, ${(sizeBytes / 1e6).toFixed(1)} MB, each digested: ${store.root}\n`,
      });
    });
}
