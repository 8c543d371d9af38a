import { createHash, randomUUID } from "node:crypto";
import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, readSync, readdirSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import type { LockedToolchain } from "../recipe/lock.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { unsafe } from "./archive-safety.ts";
import { toolchainModule } from "./go-proxy.ts";
import { h1Of, type NamedDigest } from "./h1.ts";
import { openZip } from "./zip.ts";

/*
 * A Go toolchain as the module proxy serves it. Inside the zip go.mod files are called _go.mod, and no file is
 * executable; the go command mends both, and so do we (cmd/go/internal/toolchain/select.go).
 */

/** Directory of the extracted toolchain, a GOROOT; its h1 is computed anew at each call and held against the lock. */
export async function toolchainTree(store: Store, toolchain: LockedToolchain): Promise<string> {
  const tree = join(store.root, "trees", toolchain.zip.sha256);
  const fault = treeFault(tree, toolchain);
  if (fault === undefined) return tree;
  if (fault !== "absent") {
    await rename(tree, join(store.root, "damaged", `toolchain-${toolchain.zip.sha256}-${randomUUID()}`));
    throw new TwinsealError(
      "alarm",
      "STORE_DAMAGED",
      `the store's toolchain ${toolchain.version} (${toolchain.zip.sha256}) is damaged: ${fault}`,
      {
        hint: "it was moved aside and is extracted again on the next run; find out who changed it",
      },
    );
  }
  const zip = await verifyBlob(store, toolchain.zip.sha256);
  const temporary = join(store.root, "tmp", `${process.pid}-${randomUUID()}`);
  try {
    await extractToolchain(zip, temporary, toolchain);
    await rename(temporary, tree);
  } catch (error) {
    // Another process may have been faster: its tree is as good once it verifies.
    const code = systemCodeOf(error);
    if ((code !== "ENOTEMPTY" && code !== "EEXIST") || treeFault(tree, toolchain) !== undefined) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return tree;
}

const prefixOf = (toolchain: LockedToolchain) => `${toolchainModule}@${toolchain.version}/`;

const isProgram = (name: string) => name.startsWith("bin/") || name.startsWith("pkg/tool/");

const diskName = (name: string) => name.replace(/(^|\/)_go\.mod$/, "$1go.mod");
const zipName = (name: string) => name.replace(/(^|\/)go\.mod$/, "$1_go.mod");

async function extractToolchain(zipPath: string, to: string, toolchain: LockedToolchain): Promise<void> {
  await using zip = await openZip(zipPath);
  const prefix = prefixOf(toolchain);
  const digests: NamedDigest[] = [];
  const made = new Set<string>();
  for (const entry of zip.entries) {
    if (!entry.name.startsWith(prefix)) throw unsafe(entry.name, `does not start with ${prefix}`);
    const bytes = await zip.read(entry);
    const name = entry.name.slice(prefix.length);
    digests.push({ name: entry.name, sha256: createHash("sha256").update(bytes).digest("hex") });
    const path = join(to, diskName(name));
    const directory = dirname(path);
    if (!made.has(directory)) {
      mkdirSync(directory, { recursive: true });
      made.add(directory);
    }
    await writeFile(path, bytes, { mode: isProgram(name) ? 0o755 : 0o644, flag: "wx" });
    chmodSync(path, isProgram(name) ? 0o755 : 0o644); // whatever the umask
  }
  const h1 = h1Of(digests);
  if (h1 !== toolchain.h1)
    throw new TwinsealError(
      "alarm",
      "DIGEST_MISMATCH",
      `toolchain ${toolchain.version} has ${h1}, and the lock says ${toolchain.h1}`,
    );
}

const buffer = Buffer.allocUnsafe(1 << 18);

/** Without the file ever being in memory: synchronous, since eleven thousand small files cost more to wait for. */
function hashFile(path: string): string {
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

/** What is wrong with an extracted tree: undefined when every byte, mode and name is the lock's, `absent` without one. */
function treeFault(tree: string, toolchain: LockedToolchain): string | undefined {
  const prefix = prefixOf(toolchain);
  const digests: NamedDigest[] = [];
  let fault: string | undefined;
  const visit = (directory: string, below: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const name = `${below}${entry.name}`;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path, `${name}/`);
      else if (!entry.isFile()) fault ??= `${name} is not a regular file`;
      else {
        const executable = (lstatSync(path).mode & 0o111) !== 0;
        if (executable !== isProgram(name)) fault ??= `${name} has another mode`;
        digests.push({
          name: `${prefix}${zipName(name)}`,
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
  return h1 === toolchain.h1 ? undefined : `its files have ${h1} instead of ${toolchain.h1}`;
}
