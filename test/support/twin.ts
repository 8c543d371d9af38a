import { randomUUID } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compareRuns, type Comparison } from "../../builder/compare.ts";
import { sha256Of } from "../../builder/digest.ts";
import { readHost } from "../../builder/host.ts";
import { planBuild } from "../../builder/plan.ts";
import { runProcess } from "../../builder/process.ts";
import { recipeSchema, type Recipe } from "../../builder/recipe/schema.ts";
import type { Lock } from "../../builder/recipe/lock.ts";
import { loadRunFolder } from "../../builder/run-folder.ts";
import type { SandboxEvent } from "../../builder/sandbox/driver.ts";
import { insideProgram } from "../../builder/sandbox/inside-program.ts";
import { chooseDrivers } from "../../builder/sandbox/driver-choice.ts";
import { createNamespacesDriver, type NamespacesAccess } from "../../builder/sandbox/namespaces.ts";
import { openDrivers, type OpenedDrivers } from "../../builder/sandbox/open-driver.ts";
import { executeTwin, type Side, type TwinDeps, type TwinRuns } from "../../builder/twin.ts";
import { planVariations, type Unvaried } from "../../builder/variations.ts";
import { repository, testHelperDir, type TestToolchain } from "./toolchain.ts";

/** A tiny program with a step before its build, built twice for real; gone with its scope. */
export type TwinBench = AsyncDisposable & {
  readonly drivers: OpenedDrivers;
  /** Path of our own program that runs inside. */
  readonly program: string;
  readonly dir: string;
  readonly build: (
    options: TwinOptions,
  ) => Promise<{ runs: TwinRuns; comparison: () => Promise<Comparison>; dir: string }>;
};

export type TwinOptions = {
  /** argv of the one `before` step, if there is one; the program is a file of the source tree. */
  readonly before?: readonly [string, ...string[]];
  /** C is compiled, with the compiler of the bench's `rootfsDir`. */
  readonly cgo?: boolean;
  /** Further files of the source, text by path. */
  readonly sources?: Readonly<Record<string, string>>;
  /** SOURCE_DATE_EPOCH, or none. */
  readonly sourceDateEpoch?: number;
  readonly order?: TwinDeps["order"];
  readonly fix?: Recipe["fix"];
  /** Overrides of what the machine can vary, for refusals of the kernel that cannot be had here. */
  readonly unvaried?: Unvaried;
  readonly main?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (side: Side, event: SandboxEvent) => void;
};

/** A recipe of the bench's program, with keys of the test's own. */
export function programRecipe(more: Readonly<Record<string, unknown>> = {}): Recipe {
  return recipeSchema.parse({
    recipe: 1,
    name: "program",
    source: { path: "." },
    go: "auto",
    targets: [readHost().platform],
    build: { package: ".", ldflags: "-s -w -buildid=" },
    ...more,
  });
}

const mainGo = "package main\n\nfunc main() { println(leak) }\n";

/** Compiles a fixture of test/support/fixtures to a static program. */
export async function compileFixture(toolchain: TestToolchain, name: string, to: string): Promise<void> {
  const cache = join(tmpdir(), `twinseal-fixture-cache-${process.getuid?.() ?? 0}`);
  const result = await runProcess(
    [join(toolchain.goroot, "bin/go"), "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", to, "."],
    {
      cwd: join(repository, "test/support/fixtures", name),
      env: {
        GOCACHE: cache,
        GOROOT: toolchain.goroot,
        HOME: cache,
        GOTOOLCHAIN: "local",
        CGO_ENABLED: "0",
        GOFLAGS: "-mod=mod",
        GOPROXY: "off",
        GOENV: "off",
      },
      timeoutMs: 300_000,
    },
  );
  if (result.code !== 0) throw new Error(`compiling ${name}: ${result.stderr}`);
}

export type BenchOptions = {
  /** Overrides how the namespaces are entered, for the sudo way where user namespaces would do. */
  readonly access?: NamespacesAccess;
  /** As `--driver` says it; namespaces unless said otherwise. */
  readonly driver?: string;
  /** Where an engine is found; nothing is taken from the test's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Directory that becomes the sandbox's root, for builds with a compiler. */
  readonly rootfsDir?: string;
};

export async function openTwinBench(
  toolchain: TestToolchain,
  fixtures: readonly string[],
  benchOptions: BenchOptions = {},
): Promise<TwinBench> {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-test-"));
  const source = join(dir, "source");
  await mkdir(source);
  await writeFile(join(source, "go.mod"), "module example.test/program\n\ngo 1.18\n");
  for (const name of fixtures) await compileFixture(toolchain, name, join(source, name));
  const host = readHost();
  const locked = toolchain.lock.go.toolchains.find((one) => one.host === host.platform);
  if (locked === undefined) throw new Error("no toolchain for this host");
  const opened = await openDrivers(
    chooseDrivers(benchOptions.driver ?? "namespaces"),
    { goroot: toolchain.goroot, toolchain: locked, workDir: dir, store: toolchain.store },
    {
      insideDir: join(repository, "builder/sandbox/inside"),
      helperDir: testHelperDir(),
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      arch: process.arch,
      env: benchOptions.env ?? {},
    },
  );
  const inside = join(repository, "builder/sandbox/inside");
  const program = await insideProgram({
    sourceDir: inside,
    goroot: toolchain.goroot,
    toolchain: locked,
    keepDir: testHelperDir(),
    workDir: dir,
  });
  const { access } = benchOptions;
  const entered = access === undefined ? undefined : createNamespacesDriver(program, access, opened.a.tools);
  const drivers: OpenedDrivers = entered === undefined ? opened : { ...opened, a: entered, b: entered };
  await mkdir(join(dir, "modules"));
  const { sourceDateEpoch: _epoch, ...undated } = toolchain.lock;
  const lock: Lock = { ...undated, name: "program", version: "1.0.0" };
  const build = async (options: TwinOptions) => {
    const place = join(dir, randomUUID());
    const tree = join(place, "source");
    await cp(source, tree, { recursive: true });
    await writeFile(join(tree, "main.go"), options.main ?? mainGo);
    for (const [path, text] of Object.entries(options.sources ?? {})) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), text);
    }
    const recipe = programRecipe({
      ...(options.before === undefined ? {} : { before: [options.before] }),
      ...(options.cgo === true ? { compiler: { debian: "trixie", packages: ["gcc"] } } : {}),
      build: { package: ".", ldflags: "-s -w -buildid=", cgo: options.cgo ?? false },
      ...(options.fix === undefined ? {} : { fix: options.fix }),
    });
    const variations = planVariations(
      {
        unvaried: { ...drivers.power.unvaried, ...options.unvaried },
        cpuCount: host.cpuCount,
        memoryBytes: host.availableBytes / 2,
      },
      recipe.fix ?? {},
    );
    const plan = (side: "a" | "b") =>
      planBuild({
        recipe,
        lock: {
          ...lock,
          ...(options.sourceDateEpoch === undefined ? {} : { sourceDateEpoch: options.sourceDateEpoch }),
        },
        platform: host.platform,
        side,
        variation: variations[side],
        timeoutMs: options.timeoutMs ?? 300_000,
      });
    const context = {
      lock: { sha256: sha256Of("a lock of a test") },
      local: true,
      host: { platform: host.platform, kernel: host.kernel },
      unvaried: variations.unvaried,
      fixed: variations.fixed,
    };
    const side = (id: Side) => ({
      driver: drivers[id],
      workDir: join(place, `work-${id}`),
      runDir: join(place, id),
      scratchBytes: 2 * 1024 ** 3,
      now: Date.now,
      newId: randomUUID,
      signal: options.signal,
      onEvent: (event: SandboxEvent) => options.onEvent?.(id, event),
    });
    const runs = await executeTwin(
      { a: plan("a"), b: plan("b") },
      {
        toolchainDir: toolchain.goroot,
        modulesDir: join(dir, "modules"),
        sourceDir: tree,
        files: [],
        ...(benchOptions.rootfsDir === undefined ? {} : { rootfsDir: benchOptions.rootfsDir }),
      },
      { a: context, b: context },
      { order: options.order ?? "together", sides: { a: side("a"), b: side("b") } },
    );
    const comparison = async () =>
      compareRuns(await loadRunFolder(join(place, "a")), await loadRunFolder(join(place, "b")), {});
    return { runs, comparison, dir: place };
  };
  return { drivers, program, dir, build, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}
