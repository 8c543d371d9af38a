import { createHash, randomUUID, type Hash } from "node:crypto";
import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, readSync, readdirSync, utimesSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { H1, Sha256 } from "../digest.ts";
import { TwinsealError, interrupted, systemCodeOf } from "../errors.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { unsafe } from "./archive-safety.ts";
import { h1Of, zipH1, type NamedDigest } from "./h1.ts";
import { openZip } from "./zip.ts";

/**
 * The modification time of every shared input, Unix seconds: both sandboxes see these files, so their times must say
 * nothing of when they were fetched. The first that a zip can hold, 1980-01-01.
 */
export const INPUT_TIME = 315_532_800;

/** A module of the lock: its zip lies in the store. */
export type ZippedModule = {
  readonly path: string;
  readonly version: string;
  readonly h1: H1;
  readonly zip: { readonly sha256: Sha256 };
};

/** How names and modes of the files on disk differ from those in the zip. */
export type TreeRules = {
  readonly diskName: (zipName: string) => string;
  readonly zipName: (diskName: string) => string;
  readonly isProgram: (name: string) => boolean;
};

/** Who waits for something that takes seconds: is told, and may end it. */
export type Watch = { readonly say?: ((text: string) => void) | undefined; readonly signal?: AbortSignal | undefined };

const plainRules: TreeRules = { diskName: (name) => name, zipName: (name) => name, isProgram: () => false };

/**
 * Directory of a module's files, extracted into the store once; its h1 is computed anew at each call and held against
 * the lock. Only to be read. Throws `alarm/STORE_DAMAGED`, `alarm/DIGEST_MISMATCH`.
 */
export async function moduleTree(
  store: Store,
  module: ZippedModule,
  rules: TreeRules = plainRules,
  watch: Watch = {},
): Promise<string> {
  const tree = join(store.root, "trees", module.zip.sha256);
  const fault = treeFault(tree, module, rules);
  if (fault === undefined) return tree;
  if (fault !== "absent") {
    await assertLockAgrees(store, module);
    await rename(tree, join(store.root, "damaged", `tree-${module.zip.sha256}-${randomUUID()}`));
    throw new TwinsealError(
      "alarm",
      "STORE_DAMAGED",
      `the store's tree of ${module.path}@${module.version} (${module.zip.sha256}) is damaged: ${fault}`,
      {
        hint: "it was moved aside and is extracted again on the next run; find out who changed it",
      },
    );
  }
  const zip = await verifyBlob(store, module.zip.sha256);
  watch.say?.(`extracting ${module.path}@${module.version}`);
  const temporary = join(store.root, "tmp", `${process.pid}-${randomUUID()}`);
  try {
    await extractTree(zip, temporary, module, rules, watch.signal);
    const damage = treeFault(temporary, module, rules);
    if (damage !== undefined) throw new Error(`what was just extracted is damaged: ${damage}`);
    await rename(temporary, tree);
  } catch (error) {
    // Another process may have been faster: its tree is as good once it verifies.
    const code = systemCodeOf(error);
    if ((code !== "ENOTEMPTY" && code !== "EEXIST") || treeFault(tree, module, rules) !== undefined) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return tree;
}

/** A lock whose h1 is not that of the zip it names is no reason to doubt the tree. */
async function assertLockAgrees(store: Store, module: ZippedModule): Promise<void> {
  const h1 = await zipH1(await verifyBlob(store, module.zip.sha256));
  if (h1 === module.h1) return;
  throw new TwinsealError(
    "alarm",
    "DIGEST_MISMATCH",
    `the lock contradicts itself: the zip of ${module.path}@${module.version} that it names (${module.zip.sha256}) has ${h1}, and its h1 is ${module.h1}`,
    { hint: "somebody edited the lock: look at its history; twinseal pin writes it anew" },
  );
}

const prefixOf = (module: ZippedModule) => `${module.path}@${module.version}/`;

async function extractTree(
  zipPath: string,
  to: string,
  module: ZippedModule,
  rules: TreeRules,
  signal: AbortSignal | undefined,
): Promise<void> {
  await using zip = await openZip(zipPath);
  const prefix = prefixOf(module);
  const digests: NamedDigest[] = [];
  const made = new Set<string>();
  for (const entry of zip.entries) {
    if (!entry.name.startsWith(prefix)) throw unsafe(entry.name, `does not start with ${prefix}`);
    if (signal?.aborted === true) throw interrupted();
    const name = entry.name.slice(prefix.length);
    const path = join(to, rules.diskName(name));
    const directory = dirname(path);
    if (!made.has(directory)) {
      mkdirSync(directory, { recursive: true });
      made.add(directory);
    }
    const hash = createHash("sha256");
    const mode = rules.isProgram(name) ? 0o755 : 0o644;
    await writeFile(path, digested(zip.parts(entry), hash), { mode, flag: "wx" });
    digests.push({ name: entry.name, sha256: hash.digest("hex") });
    chmodSync(path, mode); // whatever the umask
  }
  const h1 = h1Of(digests);
  if (h1 !== module.h1)
    throw new TwinsealError(
      "alarm",
      "DIGEST_MISMATCH",
      `${module.path}@${module.version} has ${h1}, and the lock says ${module.h1}`,
    );
}

async function* digested(parts: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    hash.update(part);
    yield part;
  }
}

const buffer = Buffer.allocUnsafe(1 << 18);

/** Without the file ever being in memory: synchronous, since eleven thousand small files cost more to wait for. */
export function hashFile(path: string): string {
  const file = openSync(path, "r");
  try {
    const hash = createHash("sha256");
    for (let bytes = readSync(file, buffer); bytes > 0; bytes = readSync(file, buffer))
      hash.update(buffer.subarray(0, bytes));
    return hash.digest("hex");
  } finally {
    closeSync(file);
  }
}

function settleTime(path: string, mtimeMs: number): void {
  if (mtimeMs !== INPUT_TIME * 1000) utimesSync(path, INPUT_TIME, INPUT_TIME);
}

/** What is wrong with an extracted tree: undefined when every byte, mode and name is the lock's, `absent` without one. */
function treeFault(tree: string, module: ZippedModule, rules: TreeRules): string | undefined {
  const prefix = prefixOf(module);
  const digests: NamedDigest[] = [];
  let fault: string | undefined;
  const visit = (directory: string, below: string) => {
    const entries = readdirSync(directory, { withFileTypes: true });
    settleTime(directory, lstatSync(directory).mtimeMs);
    if (entries.length === 0) fault ??= `${below} is an empty directory, as no zip has`;
    for (const entry of entries) {
      const name = `${below}${entry.name}`;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path, `${name}/`);
      else if (!entry.isFile()) fault ??= `${name} is not a regular file`;
      else {
        const stat = lstatSync(path);
        settleTime(path, stat.mtimeMs);
        const executable = (stat.mode & 0o111) !== 0;
        if (executable !== rules.isProgram(name)) fault ??= `${name} has another mode`;
        if (rules.diskName(rules.zipName(name)) !== name) fault ??= `${name} has a name that only the zip has`;
        digests.push({
          name: `${prefix}${rules.zipName(name)}`,
          sha256: hashFile(path),
        });
      }
    }
  };
  try {
    visit(tree, "");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return "absent";
    throw error;
  }
  if (fault !== undefined) return fault;
  const h1 = h1Of(digests);
  return h1 === module.h1 ? undefined : `its files have ${h1} instead of ${module.h1}`;
}
