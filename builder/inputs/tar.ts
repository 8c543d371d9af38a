import { posix } from "node:path";
import { extract, list } from "tar";
import { assertSafeEntries, unsafe } from "./archive-safety.ts";

const MAX_TOTAL_BYTES = 4 * 1024 ** 3;

/** Extracts an uncompressed tar of files, directories and inner links; looks at every entry before the first is written. */
export async function extractTar(path: string, dir: string): Promise<void> {
  const names: string[] = [];
  let totalBytes = 0;
  let fault: Error | undefined;
  await list({
    file: path,
    strict: true,
    onReadEntry: (entry) => {
      const name = entry.path.replace(/\/$/, "");
      totalBytes += entry.size;
      if (entry.type === "Directory") return;
      names.push(name);
      if (entry.type !== "File" && entry.type !== "SymbolicLink") fault ??= unsafe(name, `is a ${entry.type}`);
      if (entry.type === "SymbolicLink" && leavesTree(name, entry.linkpath ?? "")) fault ??= unsafe(name, "is a link out of the tree");
      if (totalBytes > MAX_TOTAL_BYTES) fault ??= unsafe(name, `makes the archive larger than ${MAX_TOTAL_BYTES} bytes`);
    },
  });
  if (fault !== undefined) throw fault;
  assertSafeEntries(names);
  await extract({ file: path, cwd: dir, strict: true, preservePaths: false, noMtime: true });
}

function leavesTree(name: string, target: string): boolean {
  return target.startsWith("/") || posix.normalize(posix.join(posix.dirname(name), target)).startsWith("..");
}
