import { mkdir, readdir, rm } from "node:fs/promises";
import { chmodSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { systemCodeOf } from "./errors.ts";

/** A private working directory below the store that disappears with its scope; `dir` is an absolute path. */
export type Workspace = AsyncDisposable & { readonly dir: string };

/**
 * Makes a directory of its own below `work` in the root and removes what dead processes left there: a process that was killed could not.
 */
export async function openWorkspace(root: string, pid: number, id: string): Promise<Workspace> {
  const all = join(root, "work");
  await mkdir(all, { recursive: true });
  await removeStale(all, pid);
  const dir = join(all, `${pid}-${id}`);
  await mkdir(dir, { mode: 0o755 });
  return { dir, [Symbol.asyncDispose]: () => removeTree(dir) };
}

async function removeStale(all: string, pid: number): Promise<void> {
  for (const name of await readdir(all)) {
    const owner = Number(name.split("-")[0]);
    if (owner !== pid && Number.isInteger(owner) && !isAlive(owner)) await removeTree(join(all, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
}

/** Removes a tree in which directories may be read-only, as Go's module cache makes them. */
async function removeTree(dir: string): Promise<void> {
  try {
    // Compilers of a go command that was killed may write for a moment yet.
    await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  } catch (error) {
    if (systemCodeOf(error) !== "EACCES") throw error;
    makeWritable(dir);
    await rm(dir, { recursive: true, force: true });
  }
}

function makeWritable(dir: string): void {
  chmodSync(dir, 0o700);
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (lstatSync(path).isDirectory()) makeWritable(path);
  }
}
