import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { placeFiles } from "../../builder/inputs/files.ts";
import { offerModules } from "../../builder/inputs/go-modules.ts";
import { toolchainTree } from "../../builder/inputs/go-toolchain.ts";
import { copySource } from "../../builder/inputs/source.ts";
import { readHost } from "../../builder/host.ts";
import { planBuild } from "../../builder/plan.ts";
import { runProcess } from "../../builder/process.ts";
import { parseRecipe } from "../../builder/recipe/load.ts";
import { openStore } from "../../builder/store/store.ts";
import { planVariations } from "../../builder/variations.ts";
import { readLock, repository, testStoreRoot } from "../support/toolchain.ts";
import { median, type Figure } from "./figure.ts";
import { timed, twinseal } from "./timing.ts";

/**
 * A twin build with a warm store against two plain cold `go build`s in a row: same toolchain, source and flags, modules
 * already extracted for the plain ones; with C, the machine's own gcc for those. Whole processes, wall clock, interleaved
 * pairs. `warmUp` builds once before: the sandbox's own program must be there.
 */
export async function benchTwin(name: string, version: string, pairs: number, warmUp = true): Promise<Figure> {
  await twinseal(["fetch", `${name}@${version}`]);
  await using plain = await openPlain(name, version);
  if (warmUp) await twinseal(["build", `${name}@${version}`, "--offline", "--out", join(plain.dir, "warm")]);
  const ratios: number[] = [];
  const details: string[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const twinMs = await timed(() =>
      twinseal(["build", `${name}@${version}`, "--offline", "--out", join(plain.dir, "out")]),
    );
    const plainMs = (await timed(plain.build)) + (await timed(plain.build));
    ratios.push(twinMs / plainMs);
    details.push(`${seconds(twinMs)}/${seconds(plainMs)}`);
    process.stderr.write(`pair ${pair + 1} of ${pairs}: ${details.at(-1)} s\n`);
  }
  return {
    name: `twin build / two plain builds, ${name} ${version}`,
    value: median(ratios),
    limit: 0.95,
    unit: "ratio",
    detail: details.join(" "),
  };
}

/** From the start of `twinseal build` to the first package that compiles; seconds. A first run warms the store. */
export async function benchFirstCompile(name: string, version: string, runs: number): Promise<Figure> {
  await twinseal(["fetch", `${name}@${version}`]);
  const out = await mkdtemp(join(tmpdir(), "twinseal-bench-"));
  const times: number[] = [];
  try {
    for (let run = 0; run <= runs; run++) {
      const startedAt = Date.now();
      const child = spawn(
        process.execPath,
        [join(repository, "cli/bin.js"), "build", `${name}@${version}`, "--offline", "--out", out],
        { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, CI: "true" } },
      );
      let text = "";
      await new Promise<void>((resolve, reject) => {
        child.stderr.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (/compiling/.test(text)) resolve();
        });
        child.on("close", () => reject(new Error(`no package compiled: ${text}`)));
      });
      if (run > 0) times.push((Date.now() - startedAt) / 1000);
      child.kill("SIGINT");
      await once(child, "close");
    }
  } finally {
    await rm(out, { recursive: true, force: true });
  }
  return {
    name: `start to first package compiled, ${name} ${version}`,
    value: median(times),
    limit: 5,
    unit: "s",
    detail: times.map((time) => time.toFixed(2)).join(" "),
  };
}

/** twinseal's own largest resident set during a build, by the kernel's accounting of the process itself. */
export async function benchMemory(name: string, version: string): Promise<Figure> {
  await twinseal(["fetch", `${name}@${version}`]);
  const out = await mkdtemp(join(tmpdir(), "twinseal-bench-"));
  const build = spawn(
    process.execPath,
    [join(repository, "cli/bin.js"), "build", `${name}@${version}`, "--offline", "--out", out],
    { stdio: "ignore" },
  );
  let peakKiB = 0;
  const timer = setInterval(() => {
    void readFile(`/proc/${build.pid}/status`, "utf8").then(
      (status) => {
        peakKiB = Math.max(peakKiB, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      },
      () => {},
    );
  }, 200);
  const [code] = await once(build, "close");
  clearInterval(timer);
  await rm(out, { recursive: true, force: true });
  if (code !== 0) throw new Error(`twinseal build ended with ${String(code)}`);
  return {
    name: `twinseal's own process, ${name} ${version}`,
    value: (peakKiB * 1024) / 1e6,
    limit: 150,
    unit: "MB",
    detail: "VmHWM",
  };
}

async function openPlain(
  name: string,
  version: string,
): Promise<AsyncDisposable & { dir: string; build: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-bench-"));
  const lock = await readLock(name, version);
  const host = readHost();
  const store = await openStore(testStoreRoot());
  const toolchain = lock.go.toolchains.find((one) => one.host === host.platform);
  if (toolchain === undefined) throw new Error("no toolchain for this host");
  const goroot = await toolchainTree(store, toolchain);
  await offerModules(store, lock.modules, join(dir, "proxy"));
  await copySource(lock.source, { store, recipeDir: repository }, join(dir, "source"));
  const recipePath = join(repository, "manifests", name, "recipe.yaml");
  const recipe = parseRecipe(await readFile(recipePath, "utf8"), recipePath);
  const { a } = planVariations({ cpuCount: host.cpuCount, memoryBytes: host.availableBytes, unvaried: {} }, {});
  const plan = planBuild({ recipe, lock, platform: host.platform, side: "a", variation: a, timeoutMs: 3_600_000 });
  const step = plan.steps.find(({ id }) => id === "build");
  if (step === undefined) throw new Error("the plan has no build");
  const argv = step.argv.slice(1).filter((argument) => !argument.startsWith("-debug-actiongraph") && argument !== "-v");
  const output = argv.indexOf("-o");
  argv[output + 1] = join(dir, "program");
  const { GOGC: _gogc, GOMEMLIMIT: _limit, GOROOT: _root, ...planned } = step.env;
  const libraries = join(dir, "lib");
  await mkdir(libraries);
  const place = { sourceDir: join(dir, "source"), filesDir: join(dir, "files"), rootfsDir: undefined };
  for (const { from, to } of await placeFiles(lock.files, recipe.files ?? [], lock.modules, store, place))
    await symlink(from, join(libraries, basename(to)));
  const env = {
    ...planned,
    CGO_LDFLAGS: `-L${libraries}`,
    GOMODCACHE: join(dir, "modules"),
    GOPROXY: `file://${dir}/proxy`,
    GOPATH: join(dir, "gopath"),
    HOME: dir,
    TMPDIR: tmpdir(),
    GOTMPDIR: tmpdir(),
    GOROOT: goroot,
  };
  const cwd = join(dir, "source", recipe.source.dir ?? "");
  const go = async (args: readonly string[]) => {
    const cache = join(dir, "cache");
    await rm(cache, { recursive: true, force: true });
    await mkdir(cache);
    const options = { cwd, env: { ...env, GOCACHE: cache }, timeoutMs: 3_600_000 };
    const result = await runProcess([join(goroot, "bin/go"), ...args], options);
    if (result.code !== 0) throw new Error(`plain build: ${result.stderr}`);
  };
  const build = () => go(argv);
  const tags = argv.filter((argument) => argument.startsWith("-tags"));
  await go(["list", "-deps", ...tags, recipe.build.package ?? recipe.build.file ?? "."]); // extracts the modules
  return {
    dir,
    build,
    [Symbol.asyncDispose]: async () => {
      await runProcess(["chmod", "-R", "u+w", dir], { env: { PATH: process.env["PATH"] ?? "" }, timeoutMs: 60_000 });
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const seconds = (ms: number) => (ms / 1000).toFixed(1);
