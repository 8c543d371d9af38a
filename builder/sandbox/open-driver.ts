import { access } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { runProcess } from "../process.ts";
import type { LockedToolchain } from "../recipe/lock.ts";
import type { Store } from "../store/store.ts";
import type { VaryingPower } from "../variations.ts";
import type { SandboxDriver } from "./driver.ts";
import { insideProgram } from "./inside-program.ts";
import { createNamespacesDriver } from "./namespaces.ts";
import { findNamespacesAccess } from "./preflight.ts";

export type DriverDeps = {
  /** Directory of the helper program's Go source. */
  readonly insideDir: string;
  readonly uid: number;
  readonly gid: number;
  readonly arch: string;
};

/** What the driver can vary; processors and memory are the host's. */
export type DriverPower = Omit<VaryingPower, "cpuCount" | "memoryBytes">;

export type OpenedDriver = { readonly driver: SandboxDriver; readonly power: DriverPower };

/** Makes the namespaces driver ready: checks what the kernel allows, builds or finds the helper program. */
export async function openDriver(
  place: {
    readonly goroot: string;
    readonly toolchain: LockedToolchain;
    readonly workDir: string;
    readonly store: Store;
  },
  deps: DriverDeps,
): Promise<OpenedDriver> {
  const found = await findNamespacesAccess(deps);
  const program = await insideProgram({
    sourceDir: deps.insideDir,
    goroot: place.goroot,
    toolchain: place.toolchain,
    keepDir: join(place.store.root, "inside"),
    workDir: place.workDir,
  });
  const timeNamespace = found.access.through === "user" && (await exists("/proc/self/ns/time"));
  return {
    driver: createNamespacesDriver(program, { ...found.access, timeNamespace }, found.tools),
    power: {
      clockShift: await clockShift(program),
      timeNamespace: timeNamespace ? true : "no time namespace here",
    },
  };
}

async function clockShift(program: string): Promise<true | string> {
  try {
    const result = await runProcess([program, "clock-preflight"], { env: {}, timeoutMs: 10_000 });
    return result.code === 0
      ? true
      : `the clock cannot be shifted here: ${result.stderr.trim().replace(/^inside: /, "")}`;
  } catch (error) {
    return `the clock cannot be shifted here: ${messageOf(error)}`;
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
