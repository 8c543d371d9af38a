import { isDeepStrictEqual } from "node:util";
import { compareDotted, readLinkage, type Linkage } from "./explain/linkage.ts";
import type { Recipe } from "./recipe/schema.ts";

export type WantedLinkage = NonNullable<NonNullable<Recipe["check"]>["links"]>;

/** What a program links to, beside what the recipe says of it; every fault in words. */
export type LinkageResult = Linkage & { readonly faults: readonly string[] };

/** Reads what a program links to and holds it against the recipe. Headers that lead nowhere are a fault. */
export async function checkLinkage(path: string, wanted: WantedLinkage): Promise<LinkageResult> {
  try {
    const linkage = await readLinkage(path);
    if (linkage === undefined) return { needed: [], faults: ["it is no ELF program"] };
    return { ...linkage, faults: linkageFaults(linkage, wanted) };
  } catch (error) {
    if (error instanceof RangeError) return { needed: [], faults: [`its headers cannot be read: ${error.message}`] };
    throw error;
  }
}

/** Pure. */
export function linkageFaults(linkage: Linkage, wanted: WantedLinkage): readonly string[] {
  const faults: string[] = [];
  const names = wanted.needed.toSorted();
  if (!isDeepStrictEqual(linkage.needed, names))
    faults.push(`it needs ${listed(linkage.needed)}, and the recipe says ${listed(names)}`);
  if (linkage.runpath !== wanted.runpath)
    faults.push(`its run path is ${linkage.runpath ?? "none"}, and the recipe says ${wanted.runpath ?? "none"}`);
  if (linkage.glibc !== undefined && wanted.glibc === undefined)
    faults.push(`it wants glibc ${linkage.glibc}, and the recipe names none`);
  if (linkage.glibc !== undefined && wanted.glibc !== undefined && compareDotted(linkage.glibc, wanted.glibc) > 0)
    faults.push(`it wants glibc ${linkage.glibc}, newer than the recipe's ${wanted.glibc}`);
  return faults;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "no library" : names.join(", ");
}
