import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { assertNamed, loadAgainst } from "./against.ts";
import type { BuildOptions } from "./build-options.ts";
import { buildTarget, type PlannedTarget, type Subject } from "./build-target.ts";
import { TwinsealError } from "./errors.ts";
import type { HostFacts } from "./host.ts";
import type { Http } from "./http.ts";
import { fetchInputs, type FetchProgress } from "./inputs/fetch.ts";
import type { GitEnv } from "./inputs/git.ts";
import type { RegistryAuth } from "./inputs/oci-registry.ts";
import { planMemory } from "./memory.ts";
import { planBuild } from "./plan.ts";
import { artifactName, type Platform } from "./platform.ts";
import { assertHostCompiler, hostToolchain, prepareInputs, recheckInputs } from "./prepare-inputs.ts";
import { findRecipe } from "./recipe/catalog.ts";
import { lockDigest } from "./recipe/load-lock.ts";
import { loadLocked } from "./recipe/load-locked.ts";
import type { Recipe } from "./recipe/schema.ts";
import { makeReport, type JudgedTarget, type Report } from "./report.ts";
import { renderReportHtml } from "./report-html.ts";
import { chooseDrivers } from "./sandbox/driver-choice.ts";
import { plannedPower } from "./sandbox/driver-power.ts";
import { openDrivers, type DriverDeps } from "./sandbox/open-driver.ts";
import type { Store } from "./store/store.ts";
import type { LaneState } from "./twin.ts";
import { planVariations, type VaryingPower } from "./variations.ts";
import { openWorkspace } from "./workspace.ts";

export type BuildDeps = {
  readonly cwd: string;
  readonly manifestsDir: string;
  readonly store: Store;
  readonly http: Http;
  readonly proxies: () => Promise<readonly string[]>;
  readonly debianMirrors: () => Promise<readonly string[]>;
  readonly host: HostFacts;
  readonly gitEnv: GitEnv;
  readonly registryAuth?: RegistryAuth | undefined;
  readonly driver: DriverDeps;
  readonly toolVersion: string;
  readonly now: () => number;
  readonly onFetch?: (progress: FetchProgress) => void;
  readonly onLane?: (platform: Platform, state: LaneState) => void;
  readonly onLine?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
};

export type BuildResult =
  | {
      readonly kind: "planned";
      readonly name: string;
      readonly version: string;
      readonly targets: readonly PlannedTarget[];
    }
  | {
      readonly kind: "built";
      readonly report: Report;
      readonly reportPath: string;
      readonly htmlPath: string;
      readonly folder: string;
    };

/**
 * The main operation: from a recipe and its lock to two runs, their comparison and the report, per target. Nothing is
 * written before recipe, lock and options are accepted. A mismatch is a result; alarms and the world's faults throw.
 */
export async function buildRecipe(options: BuildOptions, deps: BuildDeps): Promise<BuildResult> {
  const subject = await loadSubject(options, deps);
  const folder = resolve(deps.cwd, options.out, `${subject.recipe.name}-v${subject.lock.version}`);
  try {
    return await buildSubject(subject, folder, options, deps);
  } catch (error) {
    // After an alarm nobody shall find an older result there and take it for this one's.
    if (error instanceof TwinsealError && error.kind === "alarm") await removeResults(subject, folder);
    throw error;
  }
}

async function removeResults({ recipe, lock }: Subject, folder: string): Promise<void> {
  const artifacts = recipe.targets.map((platform) => artifactName(recipe.name, lock.version, platform));
  const outputs = (recipe.outputs ?? []).map(({ name }) => name);
  for (const name of [...artifacts, ...outputs]) await rm(join(folder, name), { force: true });
  await removeReport(folder);
}

const REPORT_FILES = ["report.json", "report.html"] as const;

async function removeReport(folder: string): Promise<void> {
  for (const name of REPORT_FILES) await rm(join(folder, name), { force: true });
}

async function buildSubject(
  subject: Subject,
  folder: string,
  options: BuildOptions,
  deps: BuildDeps,
): Promise<BuildResult> {
  const platforms = chooseTargets(subject.recipe, options, deps.host);
  const against =
    options.against === undefined ? undefined : await loadAgainst(resolve(deps.cwd, options.against), options.against);
  if (against !== undefined) {
    const names = platforms.map((platform) => artifactName(subject.recipe.name, subject.lock.version, platform));
    assertNamed(against, names, options.against ?? "");
  }
  const memory = planMemory(subject.lock, deps.host.availableBytes, options.sequential);
  const hostPower = { cpuCount: deps.host.cpuCount, memoryBytes: memory.sideBytes };
  const choice = chooseDrivers(options.driver);
  if (options.dryRun) {
    const power: VaryingPower = { ...hostPower, ...plannedPower(choice, deps.driver.arch) };
    return {
      kind: "planned",
      name: subject.recipe.name,
      version: subject.lock.version,
      targets: platforms.map((platform) => planTarget(subject, platform, power, options)),
    };
  }
  const toolchain = hostToolchain(subject.lock, deps.host);
  assertHostCompiler(subject.lock, deps.host);
  await fetchInputs(subject.lock, {
    store: deps.store,
    http: deps.http,
    proxies: deps.proxies,
    debianMirrors: deps.debianMirrors,
    host: deps.host.platform,
    offline: options.offline,
    gitEnv: deps.gitEnv,
    registryAuth: deps.registryAuth,
    ...(deps.onFetch === undefined ? {} : { onProgress: deps.onFetch }),
    ...(deps.signal === undefined ? {} : { signal: deps.signal }),
  });
  const watch = { say: deps.onLine, signal: deps.signal };
  await using workspace = await openWorkspace(deps.store.root, process.pid, randomUUID());
  const inputs = await prepareInputs(subject, toolchain, deps.store, workspace.dir, watch);
  const drivers = await openDrivers(
    choice,
    { goroot: inputs.toolchainDir, toolchain, workDir: workspace.dir, store: deps.store, watch },
    deps.driver,
  );
  const job = {
    subject,
    inputs,
    recheckInputs: () => recheckInputs(subject.lock, toolchain, deps.store, inputs),
    drivers,
    memory,
    folder,
    workDir: workspace.dir,
    against,
  };
  // An earlier report speaks of runs that are written over now.
  await removeReport(folder);
  const targets: JudgedTarget[] = [];
  for (const platform of platforms) {
    const planned = planTarget(subject, platform, { ...drivers.power, ...hostPower }, options);
    targets.push(await buildTarget(planned, job, deps));
  }
  const report = makeReport({
    name: subject.recipe.name,
    version: subject.lock.version,
    lockSha256: lockDigest(subject.lock),
    tool: { version: deps.toolVersion },
    createdAt: new Date(deps.now()).toISOString(),
    targets,
  });
  return { kind: "built", report, folder, ...(await writeReport(folder, report)) };
}

async function loadSubject(options: BuildOptions, deps: BuildDeps): Promise<Subject> {
  const found = await findRecipe(options.spec, { cwd: deps.cwd, manifestsDir: deps.manifestsDir });
  const { loaded, lock } = await loadLocked(found);
  return { recipe: loaded.recipe, lock, recipeDir: loaded.dir };
}

/** The platforms to build: as asked, all of the recipe's, or the host's. */
export function chooseTargets(
  recipe: Recipe,
  options: BuildOptions,
  host: Pick<HostFacts, "platform">,
): readonly Platform[] {
  if (options.allTargets) return recipe.targets;
  const asked = options.target ?? [host.platform];
  const unknown = asked.find((platform) => !recipe.targets.includes(platform));
  if (unknown !== undefined) {
    throw new TwinsealError("caller", "TARGET_UNKNOWN", `${recipe.name} has no target ${unknown}`, {
      hint: `its targets are ${recipe.targets.join(", ")}`,
    });
  }
  return [...new Set(asked)];
}

function planTarget(subject: Subject, platform: Platform, power: VaryingPower, options: BuildOptions): PlannedTarget {
  const variations = planVariations(power, subject.recipe.fix ?? {});
  const plan = (side: "a" | "b") =>
    planBuild({ ...subject, platform, side, variation: variations[side], timeoutMs: options.timeoutMinutes * 60_000 });
  return { platform, variations, plans: { a: plan("a"), b: plan("b") } };
}

async function writeReport(folder: string, report: Report): Promise<{ reportPath: string; htmlPath: string }> {
  await mkdir(folder, { recursive: true });
  const reportPath = join(folder, REPORT_FILES[0]);
  const htmlPath = join(folder, REPORT_FILES[1]);
  await writeFile(reportPath, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(htmlPath, renderReportHtml(report));
  return { reportPath, htmlPath };
}
