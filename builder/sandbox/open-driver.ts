import { access } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError, messageOf } from "../errors.ts";
import { runProcess } from "../process.ts";
import type { Watch } from "../inputs/module-tree.ts";
import type { LockedToolchain } from "../recipe/lock.ts";
import type { Store } from "../store/store.ts";
import { findAnyEngine, type DriverChoice, type DriverName } from "./driver-choice.ts";
import { containerLimits, sameDriver, type DriverPower } from "./driver-power.ts";
import type { SandboxDriver } from "./driver.ts";
import { findEngine, type Engine, type Environment } from "./engine.ts";
import { insideProgram } from "./inside-program.ts";
import { createNamespacesDriver } from "./namespaces.ts";
import { createOciDriver, tryContainer } from "./oci.ts";
import { findNamespacesAccess } from "./preflight.ts";

export type DriverDeps = {
  /** Directory of the helper program's Go source. */
  readonly insideDir: string;
  /** Where it is kept once it is built. */
  readonly helperDir: string;
  readonly uid: number;
  readonly gid: number;
  readonly arch: string;
  /** The caller's environment: an engine's program gets what it knows of it. */
  readonly env: Environment;
};

export type OpenedDriver = { readonly driver: SandboxDriver; readonly power: DriverPower };

/** The drivers of both sides, and what they can vary together. */
export type OpenedDrivers = {
  readonly a: SandboxDriver;
  readonly b: SandboxDriver;
  readonly power: DriverPower;
};

export type DriverPlace = {
  readonly goroot: string;
  readonly toolchain: LockedToolchain;
  readonly workDir: string;
  readonly store: Store;
  readonly watch?: Watch;
};

/** Makes both sides' drivers ready, one only once. A is the reference, so what can be varied is up to B's. */
export async function openDrivers(choice: DriverChoice, place: DriverPlace, deps: DriverDeps): Promise<OpenedDrivers> {
  const a = await openDriver(choice.a, place, deps);
  const b = choice.a === choice.b ? a : await openDriver(choice.b, place, deps);
  return {
    a: a.driver,
    b: b.driver,
    power: { unvaried: { ...b.power.unvaried, ...sameDriver(a.driver.id, b.driver.id) } },
  };
}

/**
 * Makes a driver ready: checks for real what kernel or engine allow, builds or finds the helper program. Without a name,
 * namespaces where they work, else an engine that does, else namespaces' own refusal.
 */
export async function openDriver(
  name: DriverName | undefined,
  place: DriverPlace,
  deps: DriverDeps,
): Promise<OpenedDriver> {
  switch (name) {
    case "namespaces":
      return openNamespaces(place, deps);
    case "oci":
      return openContainers(await findAnyEngine(deps.env, deps.uid), place, deps);
    case "docker":
    case "podman":
      return openContainers(await findEngine(name, deps.env, deps.uid), place, deps);
    case undefined:
      return openAny(place, deps);
  }
}

async function openAny(place: DriverPlace, deps: DriverDeps): Promise<OpenedDriver> {
  try {
    return await openNamespaces(place, deps);
  } catch (error) {
    const refused =
      error instanceof TwinsealError && (error.code === "NAMESPACES_REFUSED" || error.code === "TOOL_MISSING");
    if (!refused) throw error;
    try {
      return await openContainers(await findAnyEngine(deps.env, deps.uid), place, deps);
    } catch (other) {
      throw new TwinsealError(error.kind, error.code, error.message, {
        cause: error,
        hint: `${error.hint ?? ""}; or let a container engine do it, which fails too: ${messageOf(other)}`,
      });
    }
  }
}

async function openNamespaces(place: DriverPlace, deps: DriverDeps): Promise<OpenedDriver> {
  const found = await findNamespacesAccess(deps);
  const program = await helperProgram(place, deps);
  const timeNamespace = found.access.through === "user" && (await exists("/proc/self/ns/time"));
  const clock = await clockShiftRefusal(program);
  return {
    driver: createNamespacesDriver(program, { ...found.access, timeNamespace }, found.tools),
    power: {
      unvaried: {
        ...(clock === undefined ? {} : { time: `the clock cannot be shifted here: ${clock}` }),
        ...(timeNamespace ? {} : { uptime: "no time namespace here" }),
      },
    },
  };
}

async function openContainers(engine: Engine, place: DriverPlace, deps: DriverDeps): Promise<OpenedDriver> {
  const program = await helperProgram(place, deps);
  const refused = await tryContainer({ engine, program, arch: deps.arch }, join(place.workDir, "preflight"));
  return {
    driver: createOciDriver(engine, program, deps.arch),
    power: { unvaried: containerLimits(engine.name, refused) },
  };
}

function helperProgram(place: DriverPlace, deps: DriverDeps): Promise<string> {
  return insideProgram({
    sourceDir: deps.insideDir,
    goroot: place.goroot,
    toolchain: place.toolchain,
    keepDir: deps.helperDir,
    workDir: place.workDir,
    watch: place.watch ?? {},
  });
}

async function clockShiftRefusal(program: string): Promise<string | undefined> {
  try {
    const result = await runProcess([program, "clock-preflight"], { env: {}, timeoutMs: 10_000 });
    return result.code === 0 ? undefined : result.stderr.trim().replace(/^inside: /, "");
  } catch (error) {
    return messageOf(error);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
