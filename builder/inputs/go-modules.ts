import { utimesSync } from "node:fs";
import { copyFile, link, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestFile, type Sha256 } from "../digest.ts";
import { systemCodeOf } from "../errors.ts";
import type { LockedModule } from "../recipe/lock.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { moduleUrl } from "./go-proxy.ts";
import { inputChanged } from "./laid-out.ts";
import { INPUT_TIME } from "./module-tree.ts";

/**
 * Lays the locked modules out as a module proxy in a directory, for GOPROXY=file://: every blob is verified again and
 * linked, so the go command itself can check each zip against go.sum. The info files, which hold no truth, are made.
 */
export async function offerModules(store: Store, modules: readonly LockedModule[], dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const { path, version, goMod, zip } of modules) {
    const info = moduleUrl(dir, path, version, "info");
    await mkdir(dirname(info), { recursive: true });
    await writeFile(info, JSON.stringify({ Version: version }));
    await offer(store, goMod.sha256, moduleUrl(dir, path, version, "mod"));
    if (zip !== undefined) await offer(store, zip.sha256, moduleUrl(dir, path, version, "zip"));
  }
  for (const name of ["", ...(await readdir(dir, { recursive: true }))])
    utimesSync(join(dir, name), INPUT_TIME, INPUT_TIME);
}

/** Digests once more what was offered. Throws `alarm/INPUT_CHANGED`. */
export async function recheckModules(modules: readonly LockedModule[], dir: string): Promise<void> {
  for (const { path, version, goMod, zip } of modules) {
    for (const [kind, blob] of [
      ["mod", goMod],
      ["zip", zip],
    ] as const) {
      if (blob === undefined) continue;
      const found = await digestFile(moduleUrl(dir, path, version, kind));
      if (found.sha256 !== blob.sha256) throw inputChanged(`the ${kind} of ${path}@${version}`);
    }
  }
}

async function offer(store: Store, sha256: Sha256, to: string): Promise<void> {
  const from = await verifyBlob(store, sha256);
  try {
    await link(from, to);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK") throw error;
    await copyFile(from, to);
  }
}
