import { access, constants } from "node:fs/promises";
import { readLinkage } from "./explain/linkage.ts";

/** A program of this machine that runs others on an emulated processor; static, so that a sandbox can hold it. */
export type Emulator = { readonly path: string };

/** Where Debian's qemu-user and qemu-user-static, and other distributions, put QEMU's user mode emulation. */
const paths = ["/usr/bin/qemu-x86_64-static", "/usr/bin/qemu-x86_64", "/usr/local/bin/qemu-x86_64-static"];

/**
 * A processor that has what a level of GOAMD64 allows and little more (QEMU's models; levels as in Go's "Minimum
 * Requirements"). Undefined for a level that no model is known for.
 */
export function oldestProcessor(level: string): string | undefined {
  const models: Readonly<Record<string, string>> = { v1: "qemu64", v2: "Nehalem", v3: "Haswell" };
  return models[level];
}

/** The machine's emulator of amd64 programs, or in words why there is none. */
export async function findEmulator(): Promise<Emulator | string> {
  for (const path of paths) {
    if ((await canRun(path)) && (await readLinkage(path))?.needed.length === 0) return { path };
  }
  return "this machine has no static qemu-x86_64 (Debian: qemu-user-static)";
}

async function canRun(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
