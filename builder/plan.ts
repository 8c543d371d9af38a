import { cgoEnvironment } from "./cgo.ts";
import type { Lock } from "./recipe/lock.ts";
import type { BuildKeys, Recipe } from "./recipe/schema.ts";
import { expandPlaceholders, placeholderValues } from "./recipe/placeholders.ts";
import { artifactName, splitPlatform, type Platform } from "./platform.ts";
import type { Variation } from "./variations.ts";

/**
 * The plan of one side's build: everything that executing it needs to know, decided here and nowhere else. It is
 * printed by `--dry-run`, kept in run.json and part of the report. Paths are the sandbox's.
 */
export type PlanStep = {
  readonly id: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string;
  readonly fresh: readonly string[];
  readonly graph: string;
};

export type Plan = {
  readonly side: "a" | "b";
  readonly name: string;
  readonly version: string;
  readonly platform: Platform;
  readonly variation: Variation;
  readonly binds: readonly { readonly input: "toolchain" | "modules"; readonly to: string }[];
  /** The source tree is writable only where `before` steps have to write into it. */
  readonly sourceReadOnly: boolean;
  readonly writable: readonly string[];
  readonly steps: readonly PlanStep[];
  /** File names of what the build gives: the program, then the recipe's `outputs`. */
  readonly artifacts: readonly [string, ...string[]];
  readonly actionGraph: string;
  readonly limits: { readonly maxOutputBytes: number; readonly timeoutMs: number };
};

export const ACTION_GRAPH = "actiongraph.json";
const MAX_OUTPUT_BYTES = 4 * 1024 ** 3;

export type PlanInput = {
  readonly recipe: Recipe;
  readonly lock: Lock;
  readonly platform: Platform;
  readonly side: "a" | "b";
  readonly variation: Variation;
  readonly timeoutMs: number;
};

/** Decides one side's build. Pure: the same input gives the same plan. */
export function planBuild(input: PlanInput): Plan {
  const { recipe, lock, platform, side, variation } = input;
  const build = buildFor(recipe, platform);
  const artifact = artifactName(recipe.name, lock.version, platform);
  const dir = sourceDir(recipe, variation);
  const before = recipe.before ?? [];
  const hostEnv = stepEnvironment(input, build, { goos: "", goarch: "" });
  const steps: PlanStep[] = [
    { id: "probe", argv: ["inside", "probe"], env: hostEnv, dir, fresh: [], graph: "" },
    ...before.map((argv, index) => ({
      id: `before-${index + 1}`,
      argv: [resolveProgram(argv[0], variation), ...argv.slice(1)],
      env: { ...hostEnv, GOCACHE: beforeCache(variation), GOMODCACHE: beforeModules(variation) },
      dir,
      fresh: [],
      graph: "",
    })),
    {
      id: "build",
      argv: [`${variation.goroot}/bin/go`, ...buildArguments(input, build, artifact)],
      env: stepEnvironment(input, build, splitPlatform(platform)),
      dir,
      // What a step before it left in the result would be taken for what was built: go links nothing that is there.
      fresh: [variation.buildCachePath, variation.moduleCachePath, variation.resultPath],
      graph: `${variation.resultPath}/${ACTION_GRAPH}`,
    },
    ...(recipe.outputs ?? []).map(({ from, name }, index) => ({
      id: `output-${index + 1}`,
      argv: [
        "inside",
        "copy",
        from.startsWith("/") ? from : `${variation.sourcePath}/${from}`,
        `${variation.resultPath}/${name}`,
      ],
      env: {},
      dir,
      fresh: [],
      graph: "",
    })),
  ];
  return {
    side,
    name: recipe.name,
    version: lock.version,
    platform,
    variation,
    binds: [
      { input: "toolchain", to: variation.goroot },
      { input: "modules", to: variation.proxyPath },
    ],
    sourceReadOnly: before.length === 0,
    writable: [
      variation.home,
      variation.tmpdir,
      ...(before.length === 0 ? [] : [beforeCache(variation), beforeModules(variation)]),
    ],
    steps,
    artifacts: [artifact, ...(recipe.outputs ?? []).map(({ name }) => name)],
    actionGraph: ACTION_GRAPH,
    limits: { maxOutputBytes: MAX_OUTPUT_BYTES, timeoutMs: input.timeoutMs },
  };
}

/** The recipe's build keys for one target: `perTarget` replaces key by key. */
export function buildFor(recipe: Recipe, platform: Platform): BuildKeys {
  return { ...recipe.build, ...recipe.perTarget?.[platform] };
}

/** The GOAMD64 that a target is built with: what runs everywhere, unless the recipe says otherwise. */
export function amd64Level({ env }: BuildKeys): string {
  return env?.["GOAMD64"] ?? "v1";
}

function sourceDir(recipe: Recipe, variation: Variation): string {
  const dir = recipe.source.dir?.replace(/^\.\/?/, "") ?? "";
  return dir === "" ? variation.sourcePath : `${variation.sourcePath}/${dir}`;
}

/** The caches of `before` steps are their own: what they leave there is never what the build reads. */
const beforeCache = (variation: Variation) => `${variation.buildCachePath}-before`;
const beforeModules = (variation: Variation) => `${variation.moduleCachePath}-before`;

/** `go` in a `before` step is the pinned one; anything else must be a path inside the sandbox. */
function resolveProgram(program: string, variation: Variation): string {
  if (program === "go" || program === "gofmt") return `${variation.goroot}/bin/${program}`;
  return program.startsWith("/") ? program : `${variation.sourcePath}/${program.replace(/^\.\//, "")}`;
}

function buildArguments(input: PlanInput, build: BuildKeys, artifact: string): string[] {
  const { lock, variation } = input;
  const tags = build.tags ?? [];
  const ldflags = expandPlaceholders(build.ldflags ?? "", placeholderValues(lock, tags));
  return [
    "build",
    "-trimpath",
    "-buildvcs=false",
    "-v",
    `-debug-actiongraph=${variation.resultPath}/${ACTION_GRAPH}`,
    ...(tags.length === 0 ? [] : [`-tags=${tags.join(",")}`]),
    ...(ldflags === "" ? [] : [`-ldflags=${ldflags}`]),
    "-o",
    `${variation.resultPath}/${artifact}`,
    build.package ?? build.file ?? ".",
  ];
}

/** The whole environment of a step: an allow-list, nothing is inherited. */
function stepEnvironment(
  input: PlanInput,
  build: BuildKeys,
  target: { readonly goos: string; readonly goarch: string },
): Record<string, string> {
  const { recipe, lock, variation } = input;
  const toolchain = `${variation.goroot}/bin`;
  return {
    ...variation.noise,
    ...build.env,
    PATH: variation.pathOrder === "toolchain-first" ? `${toolchain}:/usr/bin` : `/usr/bin:${toolchain}`,
    HOME: variation.home,
    USER: variation.userName,
    LOGNAME: variation.userName,
    TMPDIR: variation.tmpdir,
    TZ: variation.timezone,
    LANG: variation.lang,
    LC_ALL: variation.lcAll,
    GOROOT: variation.goroot,
    GOCACHE: variation.buildCachePath,
    GOMODCACHE: variation.moduleCachePath,
    GOPATH: `${variation.home}/go`,
    GOTMPDIR: variation.tmpdir,
    GOPROXY: `file://${variation.proxyPath}`, // the go command itself checks each zip against go.sum
    GOSUMDB: "off", // no network; the lock's modules were proven when it was written
    GOTOOLCHAIN: "local", // the pinned one, never another
    GOENV: "off", // no settings file
    GOFLAGS: recipe.vendor === true ? "-mod=vendor" : "-mod=readonly", // go.mod decides, and is not rewritten
    GOWORK: recipe.workspace === true ? "" : "off",
    GOVCS: "*:off",
    GOGC: variation.gogc,
    GOMEMLIMIT: String(variation.memoryLimitBytes),
    GOAMD64: amd64Level(build),
    GOARM64: build.env?.["GOARM64"] ?? "v8.0",
    // A step before the build makes source; the build alone compiles C.
    ...(target.goos === ""
      ? { CGO_ENABLED: "0" }
      : { ...cgoEnvironment(build), GOOS: target.goos, GOARCH: target.goarch }),
    ...(lock.sourceDateEpoch === undefined ? {} : { SOURCE_DATE_EPOCH: String(lock.sourceDateEpoch) }),
  };
}
