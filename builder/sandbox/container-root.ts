import { lstat, readdir, readlink } from "node:fs/promises";
import type { SandboxBind, SandboxSpec } from "./driver.ts";

/** Our program in a container. */
export const PROGRAM_PATH = "/.twinseal";

/** Where an engine mounts something of its own, whatever it was told. */
const engineFiles = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv"] as const;
const kernelDirs = ["/dev", "/proc", "/sys"] as const;

export type RootLink = { readonly path: string; readonly target: string };

/**
 * How a rootfs directory becomes a container's root without being copied into the engine's store: its directories and
 * files are bound read-only, and only its links lie in the image.
 */
export type RootLayout = { readonly binds: readonly SandboxBind[]; readonly links: readonly RootLink[] };

/** The directories that a step may write to: a tmpfs each. */
export function writableDirs(spec: SandboxSpec): readonly string[] {
  return [...new Set([spec.source.to, spec.outputFrom, ...spec.writable, ...spec.steps.flatMap(({ fresh }) => fresh)])];
}

/**
 * Lays a rootfs out around the sandbox's own mounts. An engine makes missing mount points, and would make them in the
 * rootfs itself: so a directory with a mount point below it is not bound as a whole, but child by child.
 */
export async function layRoot(spec: SandboxSpec): Promise<RootLayout> {
  if (spec.rootfs === "") return { binds: [], links: [] };
  const mounts = [
    ...engineFiles,
    ...kernelDirs,
    PROGRAM_PATH,
    ...writableDirs(spec),
    ...spec.binds.map(({ to }) => to),
  ];
  const binds: SandboxBind[] = [];
  const links: RootLink[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const name of (await readdir(`${spec.rootfs}${below}`)).toSorted()) {
      const path = `${below}/${name}`;
      if (mounts.includes(path)) continue;
      const from = `${spec.rootfs}${path}`;
      const stat = await lstat(from);
      if (stat.isSymbolicLink()) links.push({ path, target: await readlink(from) });
      else if (stat.isDirectory() && mounts.some((mount) => mount.startsWith(`${path}/`))) await visit(path);
      else binds.push({ from, to: path });
    }
  };
  await visit("");
  return { binds, links };
}
