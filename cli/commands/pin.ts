import { randomUUID } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { canonicalJsonText } from "../../builder/canonical-json.ts";
import { TwinsealError, systemCodeOf } from "../../builder/errors.ts";
import { readHost } from "../../builder/host.ts";
import { openChecksumDatabase } from "../../builder/inputs/checksum-database.ts";
import { debianKeyring } from "../../builder/inputs/debian-mirrors.ts";
import { gitEnvOf } from "../../builder/inputs/git.ts";
import { aptEnvOf } from "../../builder/recipe/apt.ts";
import { placeRecipe, type RecipePlace } from "../../builder/recipe/catalog.ts";
import { loadLock } from "../../builder/recipe/load-lock.ts";
import { loadRecipe } from "../../builder/recipe/load.ts";
import type { Lock } from "../../builder/recipe/lock.ts";
import { diffLocks, type LockChange } from "../../builder/recipe/pin-diff.ts";
import { pinRecipe } from "../../builder/recipe/pin.ts";
import { openWorkspace } from "../../builder/workspace.ts";
import type { CliDeps } from "../deps.ts";
import { printImage } from "../print-image.ts";

const optionsSchema = z.strictObject({
  from: z.string().min(1).optional(),
  check: z.boolean().default(false),
  diff: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  imageFrom: z.string().min(1).optional(),
  resolveImage: z.string().min(1).optional(),
});

export function pinCommand(deps: CliDeps): Command {
  return new Command("pin")
    .argument("[spec]", "name@version; in a project with twinseal.yaml also @version")
    .option("--from <url>", "fetch a git source from this URL or path; its identity stays the recipe's")
    .option("--check", "resolve again and fail when the lock is not what pin would write; writes nothing")
    .option("--diff", "say in words what changes")
    .option("--dry-run", "resolve and show, write nothing")
    .option(
      "--image-from <path>",
      "take the compiler's image from an OCI layout or a docker save file; its digest stays the recipe's",
    )
    .option(
      "--resolve-image <name>",
      "print an image's name with the digest that its tag has now, as a recipe wants it",
    )
    .action(async (spec: string | undefined, flags: unknown) => {
      const options = await deps.parse(optionsSchema, flags);
      if (options.resolveImage !== undefined) return printImage(options.resolveImage, spec, deps);
      if (spec === undefined && !options.check && !options.dryRun) {
        throw new TwinsealError("caller", "USAGE", "missing required argument 'spec'", { hint: "write name@version" });
      }
      const place = await placeRecipe(spec !== undefined && /^\d/.test(spec) ? `@${spec}` : spec, deps);
      const version = place.version ?? (options.check || options.dryRun ? await lockedVersion(place) : undefined);
      if (version === undefined) {
        throw new TwinsealError("caller", "VERSION_MISSING", `${spec ?? place.name} names no version`, {
          hint: `write for example ${place.name}@1.0.0`,
        });
      }
      const loaded = await loadRecipe(place.recipePath);
      const lockPath = place.lockPathOf(version);
      const old = await loadOld(lockPath);
      const store = await deps.store();
      const http = await deps.http();
      const proxies = await deps.proxies();
      const database = await openChecksumDatabase({
        http,
        bases: [
          ...proxies.map((proxy) => `${proxy.replace(/\/$/, "")}/sumdb/sum.golang.org`),
          "https://sum.golang.org",
        ],
        stateDir: join(deps.stateRoot, "log"),
      });
      await using workspace = await openWorkspace(store.root, process.pid, randomUUID());
      const fresh = await pinRecipe(
        {
          loaded,
          version,
          workDir: workspace.dir,
          ...(options.from === undefined ? {} : { from: options.from }),
        },
        {
          store,
          http,
          proxies,
          database,
          host: readHost().platform,
          gitEnv: gitEnvOf(deps.env),
          debianMirrors: deps.debianMirrors,
          debianKeyring: () => debianKeyring({ TWINSEAL_DEBIAN_KEYRING: deps.env["TWINSEAL_DEBIAN_KEYRING"] }),
          aptEnv: aptEnvOf(deps.env),
          registryAuth: deps.registryAuth,
          imageFrom: options.imageFrom === undefined ? undefined : resolve(deps.cwd, options.imageFrom),
          say: deps.say,
          signal: deps.signal,
        },
      );
      const changes = old === undefined ? [] : diffLocks(old, fresh);
      assertNoAlarm(changes, lockPath);
      if (options.check) return finishCheck(old, changes, { lockPath, spec: `${place.name}@${version}` }, deps);
      const text = options.diff ? `${changes.map((change) => change.text).join("\n") || "nothing changes"}\n` : "";
      const unchanged = old !== undefined && changes.length === 0;
      if (!options.dryRun && !unchanged) await writeLock(lockPath, fresh);
      const word = options.dryRun ? "would write" : unchanged ? "nothing changes in" : "wrote";
      deps.finish({
        exitCode: 0,
        code: options.dryRun ? "resolved" : unchanged ? "unchanged" : "pinned",
        document: {
          lockPath,
          name: fresh.name,
          version: fresh.version,
          changes: changes.map((change) => change.text),
          ...(options.dryRun ? { lock: fresh } : {}),
        },
        text: `${text}${word} ${lockPath}: Go ${fresh.go.version}, ${fresh.modules.length} modules; ${provenance(fresh)}\n`,
      });
    });
}

/** That of a project's one lock, for those who look at it: who writes one says which version it is of. */
async function lockedVersion({ project, lockPathOf }: RecipePlace): Promise<string | undefined> {
  return project ? (await loadOld(lockPathOf("")))?.version : undefined;
}

async function loadOld(lockPath: string): Promise<Lock | undefined> {
  try {
    return await loadLock(lockPath);
  } catch (error) {
    const cause = error instanceof TwinsealError ? error.cause : error;
    if (systemCodeOf(cause) === "ENOENT" || (error instanceof TwinsealError && error.code === "LOCK_MISSING"))
      return undefined;
    throw error;
  }
}

/** The same version with other bytes is never written over what was locked. */
function assertNoAlarm(changes: readonly LockChange[], lockPath: string): void {
  const alarms = changes.filter((change) => change.alarm).map((change) => change.text);
  if (alarms.length === 0) return;
  throw new TwinsealError("alarm", "INPUT_CHANGED", `${lockPath} says otherwise: ${alarms.join("; ")}`, {
    hint: "a published version must never change: find out who changed it before you remove the old lock",
  });
}

function finishCheck(
  old: Lock | undefined,
  changes: readonly LockChange[],
  { lockPath, spec }: { readonly lockPath: string; readonly spec: string },
  deps: CliDeps,
): void {
  const texts = old === undefined ? [`${lockPath} is missing`] : changes.map((change) => change.text);
  deps.finish({
    exitCode: texts.length === 0 ? 0 : 1,
    code: texts.length === 0 ? "lock-fresh" : "lock-stale",
    document: { lockPath, changes: texts },
    text:
      texts.length === 0
        ? `${lockPath} is what pin would write\n`
        : `${texts.join("\n")}\n${lockPath} is not what pin would write\nhint: run twinseal pin ${spec}\n`,
  });
}

async function writeLock(path: string, lock: Lock): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, canonicalJsonText(lock), { flush: true });
  await rename(temporary, path);
}

function provenance({ modules, checksumDatabase }: Lock): string {
  const bySource = modules.filter(({ provenBy }) => provenBy === "go.sum").length;
  return bySource === 0
    ? `all proven in ${checksumDatabase.name}`
    : `${modules.length - bySource} proven in ${checksumDatabase.name}, ${bySource} by the source's own go.sum`;
}
