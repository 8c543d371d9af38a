import { resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { TwinsealError } from "../../builder/errors.ts";
import { blobsOf } from "../../builder/inputs/plan-fetch.ts";
import { hasProject, lockPathsOf, manifestNames, placeRecipe } from "../../builder/recipe/catalog.ts";
import { loadLock } from "../../builder/recipe/load-lock.ts";
import { engineNames, findEngine } from "../../builder/sandbox/engine.ts";
import { listRootImages, removeRootImages } from "../../builder/sandbox/root-image.ts";
import { findGarbage, removeGarbage } from "../../builder/store/garbage.ts";
import { verifyStore } from "../../builder/store/store-check.ts";
import type { CliDeps } from "../deps.ts";

const gcOptionsSchema = z.strictObject({
  lock: z.array(z.string().min(1)).default([]),
  dryRun: z.boolean().default(false),
});

export function storeCommand(deps: CliDeps): Command {
  return new Command("store")
    .addCommand(verifyCommand(deps))
    .addCommand(gcCommand(deps))
    .addCommand(
      new Command("path")
        .description("print where the store is; TWINSEAL_CACHE moves it")
        .action(() => printPath(deps)),
    );
}

function verifyCommand(deps: CliDeps): Command {
  return new Command("verify")
    .description("digest every entry again; a damaged one is moved aside, exit 4")
    .action(async () => {
      const store = await deps.store();
      const { entries, sizeBytes, damaged } = await verifyStore(store, () => {});
      const lines = damaged.map(
        ({ entry, movedTo }) => `damaged: ${entry}${movedTo === undefined ? "" : `, now in ${movedTo}`}`,
      );
      const summary = `${entries} entries, ${megabytes(sizeBytes)}: ${damaged.length === 0 ? "all have their digest (what was extracted from them is digested by each build)" : `${damaged.length} damaged; the next fetch brings them anew. Find out who wrote to the store`}`;
      deps.finish({
        exitCode: damaged.length === 0 ? 0 : 4,
        code: damaged.length === 0 ? "store-verified" : "STORE_DAMAGED",
        document: { store: store.root, entries, sizeBytes, damaged },
        text: [...lines, summary].join("\n"),
      });
    });
}

function gcCommand(deps: CliDeps): Command {
  return new Command("gc")
    .description("remove what no known lock needs: those of the recipes, of ./twinseal.lock.json, and of --lock")
    .option(
      "--lock <file>",
      "keep what this lock needs too; may be repeated",
      (value: string, all: string[] | undefined) => [...(all ?? []), value],
    )
    .option("--dry-run", "say what would be removed")
    .action(async (flags: unknown) => {
      const options = await deps.parse(gcOptionsSchema, flags);
      const locks = [...(await knownLocks(deps)), ...options.lock.map((path) => resolve(deps.cwd, path))];
      const keep = new Set<string>();
      for (const path of locks) for (const sha256 of blobsOf(await loadLock(path))) keep.add(sha256);
      if (keep.size === 0)
        throw new TwinsealError("caller", "NO_LOCKS", "no lock is known, so everything would go", {
          hint: "name one with --lock, or remove the store's directory yourself",
        });
      const store = await deps.store();
      const garbage = await findGarbage(store, keep);
      const images = await engineImages(deps, options.dryRun);
      if (!options.dryRun) await removeGarbage(garbage);
      deps.finish({
        exitCode: 0,
        code: options.dryRun ? "garbage-found" : "garbage-removed",
        document: { store: store.root, locks, entries: garbage.entries, sizeBytes: garbage.sizeBytes, images },
        text: `${options.dryRun ? "would remove" : "removed"} ${garbage.entries} entries, with what was left over ${megabytes(garbage.sizeBytes)}${imagesText(images)}; kept what ${locks.length} locks need\n`,
      });
    });
}

type EngineImages = { readonly engine: string; readonly images: readonly string[] };

/** Root images that builds left with container engines; an engine that does not answer keeps its own. */
async function engineImages(deps: CliDeps, dryRun: boolean): Promise<readonly EngineImages[]> {
  const found = await Promise.all(
    engineNames.map(async (name): Promise<readonly EngineImages[]> => {
      try {
        const engine = await findEngine(name, deps.env, deps.uid);
        const images = await listRootImages(engine);
        if (images.length > 0 && !dryRun) await removeRootImages(engine);
        return images.length > 0 ? [{ engine: name, images }] : [];
      } catch {
        return [];
      }
    }),
  );
  return found.flat();
}

function imagesText(found: readonly EngineImages[]): string {
  return found
    .map(({ engine, images }) => `, ${images.length === 1 ? "1 image" : `${images.length} images`} of ${engine}`)
    .join("");
}

async function knownLocks(deps: CliDeps): Promise<readonly string[]> {
  const names = [...(await manifestNames(deps.manifestsDir)), ...((await hasProject(deps.cwd)) ? [undefined] : [])];
  return (await Promise.all(names.map(async (name) => lockPathsOf(await placeRecipe(name, deps))))).flat();
}

function printPath(deps: CliDeps): void {
  deps.finish({ exitCode: 0, code: "store-path", document: { store: deps.storeRoot } });
  if (!deps.json) deps.print(`${deps.storeRoot}\n`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
