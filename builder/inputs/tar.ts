import { posix } from "node:path";
import { create, extract, list } from "tar";
import { assertSafeEntries, unsafe } from "./archive-safety.ts";

const MAX_TOTAL_BYTES = 4 * 1024 ** 3;

/** Extracts an uncompressed tar of files, directories and inner links; looks at every entry before the first is written. */
export async function extractTar(path: string, dir: string): Promise<void> {
  const names: string[] = [];
  let totalBytes = 0;
  let fault: Error | undefined;
  const look = (entry: { path: string; size: number; type: string; linkpath?: string | undefined }) => {
    const name = entry.path.replace(/^\.\//, "").replace(/\/$/, "");
    totalBytes += entry.size;
    if (entry.type === "Directory") return;
    names.push(name);
    if (entry.type !== "File" && entry.type !== "SymbolicLink") fault ??= unsafe(name, `is a ${entry.type}`);
    if (entry.type === "SymbolicLink" && leavesTree(name, entry.linkpath ?? "")) {
      fault ??= unsafe(name, "is a link out of the tree");
    }
    if (totalBytes > MAX_TOTAL_BYTES) fault ??= unsafe(name, `makes the archive larger than ${MAX_TOTAL_BYTES} bytes`);
  };
  try {
    await list({ file: path, strict: true, onReadEntry: look });
  } catch (error) {
    throw fault ?? unsafe(names.at(-1) ?? "tar", "cannot be read", error);
  }
  if (fault !== undefined) throw fault;
  assertSafeEntries(names);
  await extract({ file: path, cwd: dir, strict: true, preservePaths: false, noMtime: true });
}

/** Text of one small file of a tar, packed or not; empty when it has no such file, or a larger one. */
export async function readTarFile(path: string, name: string, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  await list({
    file: path,
    strict: true,
    filter: (entryName, entry) => entryName === name && "size" in entry && entry.size <= maxBytes,
    onReadEntry: (entry) => entry.on("data", (chunk) => chunks.push(chunk)),
  });
  return Buffer.concat(chunks).toString("utf8");
}

/** Packs the named files of a directory, in their order, without anything of the machine: no owner, no time. */
export async function createTar(dir: string, names: readonly string[], path: string): Promise<void> {
  // A leading @ would make tar read another archive.
  const entries = names.map((name) => `./${name}`);
  await create(
    {
      cwd: dir,
      file: path,
      portable: true,
      mtime: new Date(0),
      noDirRecurse: true,
      strict: true,
      follow: false,
      umask: 0o022,
    },
    entries,
  );
}

function leavesTree(name: string, target: string): boolean {
  return target.startsWith("/") || posix.normalize(posix.join(posix.dirname(name), target)).startsWith("..");
}
