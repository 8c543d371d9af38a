import { lstatSync, readdirSync, readlinkSync, renameSync, type Stats } from "node:fs";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import { hashFile } from "./module-tree.ts";

/** Who brought what: paths below the target directory, each entry standing for all below it that has none of its own. */
export type Owners = Map<string, string>;

/**
 * Moves the tree `from` into the tree `to`, both of this file system, nothing of it read. Where both have a directory they
 * become one; where both have the same file or link, it stays; anything else is `alarm/PACKAGES_CLASH` and names both
 * owners. No link is followed: whatever is gone through was seen to be a directory.
 */
export function layOver(from: string, to: string, owner: string, owners: Owners): void {
  const visit = (below: string) => {
    for (const name of readdirSync(join(from, below))) {
      const path = below === "" ? name : `${below}/${name}`;
      const there = lstatSync(join(to, path), { throwIfNoEntry: false });
      if (there === undefined) {
        renameSync(join(from, path), join(to, path));
        owners.set(path, owner);
      } else {
        const here = lstatSync(join(from, path));
        if (here.isDirectory() && there.isDirectory()) visit(path);
        else if (!sameEntry(join(from, path), here, join(to, path), there))
          throw clash(path, ownerOf(path, owners), owner);
      }
    }
  };
  visit("");
}

function sameEntry(a: string, statA: Stats, b: string, statB: Stats): boolean {
  if (statA.isSymbolicLink() && statB.isSymbolicLink()) return readlinkSync(a) === readlinkSync(b);
  const same = statA.isFile() && statB.isFile() && statA.mode === statB.mode && statA.size === statB.size;
  return same && hashFile(a) === hashFile(b);
}

function ownerOf(path: string, owners: Owners): string {
  for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
    const owner = owners.get(path.slice(0, end));
    if (owner !== undefined) return owner;
  }
  return "another package";
}

function clash(path: string, first: string, second: string): TwinsealError {
  return new TwinsealError("alarm", "PACKAGES_CLASH", `${first} and ${second} both have ${path}, and not the same`, {
    hint: "dpkg would refuse this as well; leave one of them out of the recipe's packages",
  });
}
