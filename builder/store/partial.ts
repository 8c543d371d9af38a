import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Sha256 } from "../digest.ts";
import { systemCodeOf } from "../errors.ts";
import { isOwnerAlive, ownerToken } from "./owner.ts";

/**
 * Downloads that did not end, in `tmp/`: `<sha256>.<owner>.<id>.partial` while a process writes it,
 * `<sha256>.partial` once it gave up. Nothing here is trusted: whoever resumes copies and digests from the first byte,
 * so a file is written by one process only and a wrong prefix is noticed at the end.
 */
export type Partial = { readonly path: string; readonly sizeBytes: number; readonly changedAtMs: number };
export type Partials = {
  /** The longest that nobody writes to. */
  readonly resumable: Partial | undefined;
  readonly abandoned: readonly Partial[];
  /** Written to by a living process, perhaps this one. */
  readonly busy: readonly Partial[];
};

const UNKNOWN = "unknown";

export function newPartialPath(root: string, sha256: Sha256 | undefined, id: string): string {
  return join(root, "tmp", `${sha256 ?? UNKNOWN}.${ownerToken()}.${id.slice(0, 8)}.partial`);
}

export async function findPartials(root: string, sha256: Sha256): Promise<Partials> {
  const abandoned: Partial[] = [];
  const busy: Partial[] = [];
  for (const name of await readdir(join(root, "tmp"))) {
    if (!name.startsWith(`${sha256}.`) || !name.endsWith(".partial")) continue;
    const found = await partialAt(join(root, "tmp", name));
    if (found !== undefined) (isBusy(name) ? busy : abandoned).push(found);
  }
  return { abandoned, busy, resumable: abandoned.toSorted((a, b) => b.sizeBytes - a.sizeBytes)[0] };
}

/** Whether a file of `tmp/` belongs to a process that lives: its name has the owner in second place. */
export function isBusy(name: string): boolean {
  return isOwnerAlive(name.split(".").at(-3) ?? "");
}

/** Leaves what came so far to be resumed, unless something longer is there already. */
export async function keepPartial(root: string, sha256: Sha256, from: string): Promise<void> {
  const to = join(root, "tmp", `${sha256}.partial`);
  const [mine, other] = await Promise.all([partialAt(from), partialAt(to)]);
  if (mine === undefined) return;
  if (mine.sizeBytes > (other?.sizeBytes ?? 0)) await rename(from, to);
  else await rm(from, { force: true });
}

export async function removePartials(partials: Partials): Promise<void> {
  for (const { path } of partials.abandoned) await rm(path, { force: true });
}

async function partialAt(path: string): Promise<Partial | undefined> {
  try {
    const info = await stat(path);
    return { path, sizeBytes: info.size, changedAtMs: info.mtimeMs };
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
