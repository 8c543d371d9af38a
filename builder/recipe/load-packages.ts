import { rm } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import { splitPlatform, type Platform } from "../platform.ts";
import { runProcess } from "../process.ts";
import type { PinDeps } from "./pin-deps.ts";
import type { Recipe } from "./schema.ts";

/** Host paths: the pinned Go, the directory of the go.mod, a directory to work in, an empty module cache below it. */
export type PackagesPlace = {
  readonly goroot: string;
  readonly moduleDir: string;
  readonly workDir: string;
  readonly cache: string;
};

function goEnvironment(place: PackagesPlace, deps: PinDeps): Record<string, string> {
  return {
    ...deps.gitEnv, // the way to the network
    HOME: place.workDir,
    PATH: `${place.goroot}/bin`,
    GOROOT: place.goroot,
    GOMODCACHE: place.cache,
    GOCACHE: join(place.workDir, "gocache"),
    GOPATH: join(place.workDir, "gopath"),
    GOPROXY: deps.proxies.join(","),
    GOSUMDB: "off", // every module is proven by our own code below
    GOTOOLCHAIN: "local",
    GOENV: "off",
    GOAUTH: "off", // names a program that go would start
  };
}

/** Of a recipe's variables those that choose code, and no other: this go command runs here, outside any sandbox. */
export function codeChoosing(env: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const chooses = /^GO(386|AMD64|ARM|ARM64|EXPERIMENT|FIPS140|MIPS|MIPS64|PPC64|RISCV64|WASM)$/;
  return Object.fromEntries(Object.entries(env ?? {}).filter(([name]) => chooses.test(name)));
}

/**
 * Lets the pinned go command load what a build for the target needs into the module cache. Throws `world/NETWORK`,
 * `verdict/PACKAGES_NOT_LOADED`.
 */
export async function loadPackages(
  recipe: Recipe,
  target: Platform,
  place: PackagesPlace,
  deps: PinDeps,
): Promise<void> {
  const { goos, goarch } = splitPlatform(target);
  const build = { ...recipe.build, ...recipe.perTarget?.[target] };
  const env = {
    ...codeChoosing(build.env),
    ...goEnvironment(place, deps),
    // Nothing is compiled: whether C takes part decides which packages do, and no compiler of this machine is asked.
    CGO_ENABLED: build.cgo === true ? "1" : "0",
    CC: "/nonexistent/cc",
    CXX: "/nonexistent/c++",
    GOFLAGS: recipe.vendor === true ? "-mod=vendor" : "-mod=readonly",
    GOOS: goos,
    GOARCH: goarch,
    GOWORK: recipe.workspace === true ? "" : "off",
  };
  const tags = (build.tags ?? []).join(",");
  const commands = [
    // Not `go list -deps`: a build looks into more modules, to be sure that no other one has a package of the same name.
    [
      "build",
      "-n",
      "-trimpath",
      "-buildvcs=false",
      "-o",
      join(place.workDir, "program"),
      ...(tags === "" ? [] : [`-tags=${tags}`]),
      build.package ?? build.file ?? ".",
    ],
    // A step before the build may need any module of the build list.
    ...((recipe.before ?? []).length === 0 ? [] : [["mod", "download"]]),
  ];
  for (const args of commands) {
    deps.say(args[0] === "build" ? `loading the packages for ${target}` : `downloading all modules for ${target}`);
    const result = await runProcess([join(place.goroot, "bin/go"), ...args], {
      cwd: place.moduleDir,
      env,
      timeoutMs: 1_800_000,
      ...(deps.signal === undefined ? {} : { signal: deps.signal }),
    });
    if (result.code !== 0) {
      const network = /dial tcp|i\/o timeout|connection refused|no such host|TLS handshake/.test(result.stderr);
      throw new TwinsealError(
        network ? "world" : "verdict",
        network ? "NETWORK" : "PACKAGES_NOT_LOADED",
        `loading the packages for ${target}: ${result.stderr.trim()}`,
      );
    }
  }
}

/** Go makes its module cache read-only: only go itself removes it without a walk. */
export async function removeCache(place: PackagesPlace, deps: PinDeps): Promise<void> {
  await runProcess([join(place.goroot, "bin/go"), "clean", "-modcache"], {
    cwd: place.workDir,
    env: goEnvironment(place, deps),
    timeoutMs: 600_000,
  });
  await rm(place.cache, { recursive: true, force: true });
}
