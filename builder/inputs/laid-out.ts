import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import { hashFile } from "./module-tree.ts";

/** What was laid out for both sandboxes, with the digest that it had then. */
export type LaidOut = { readonly dir: string; readonly digest: string };

/** Digests a directory: every path, kind, mode, link target and byte. One that is not there has a digest too. */
export function layOut(dir: string): LaidOut {
  const lines: string[] = [];
  const visit = (below: string) => {
    for (const name of readdirSync(join(dir, below))) {
      const path = join(below, name);
      const stat = lstatSync(join(dir, path));
      if (stat.isDirectory()) visit(path);
      const content = stat.isFile()
        ? hashFile(join(dir, path))
        : stat.isSymbolicLink()
          ? readlinkSync(join(dir, path))
          : "";
      lines.push(JSON.stringify([path, stat.mode, content]));
    }
  };
  try {
    visit("");
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT" || lines.length > 0) throw error;
  }
  return { dir, digest: createHash("sha256").update(lines.toSorted().join("\n")).digest("hex") };
}

/** Digests it again. Throws `alarm/INPUT_CHANGED`. */
export function assertUnchanged({ dir, digest }: LaidOut): void {
  if (layOut(dir).digest !== digest) throw inputChanged(dir);
}

export function inputChanged(what: string): TwinsealError {
  return new TwinsealError("alarm", "INPUT_CHANGED", `${what} was changed while both builds used it`, {
    hint: "nothing is said of these builds; find out who writes there, and build again",
  });
}
