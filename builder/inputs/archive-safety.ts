import { TwinsealError } from "../errors.ts";

/** An archive that could write elsewhere, or that two readers could read differently; always an alarm. */
export function unsafe(name: string, why: string, cause?: unknown): TwinsealError {
  return new TwinsealError("alarm", "ARCHIVE_UNSAFE", `archive entry ${JSON.stringify(name)} ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: "nothing was extracted; look at the archive's origin",
  });
}

/** Refuses names that escape, that occur twice, that differ only by case, or that are both a file and a directory. */
export function assertSafeEntries(names: readonly string[]): void {
  const seen = new Map<string, string>();
  const directories = new Map<string, string>();
  for (const name of names) {
    const parts = name.split("/");
    if (
      name.startsWith("/") ||
      /[\\\0]/.test(name) ||
      parts.some((part) => part === "" || part === "." || part === "..")
    ) {
      throw unsafe(name, "points out of the archive");
    }
    const folded = name.toLowerCase();
    const twin = seen.get(folded);
    if (twin !== undefined)
      throw unsafe(name, twin === name ? "occurs twice" : `differs from ${JSON.stringify(twin)} only by case`);
    seen.set(folded, name);
    for (let end = folded.lastIndexOf("/"); end > 0; end = folded.lastIndexOf("/", end - 1)) {
      const directory = folded.slice(0, end);
      const written = directories.get(directory);
      const here = name.slice(0, end);
      if (written !== undefined && written !== here)
        throw unsafe(name, `lies in a directory that differs from ${JSON.stringify(written)} only by case`);
      if (written !== undefined) break; // its parents are known
      directories.set(directory, here);
    }
  }
  for (const [folded, name] of seen) if (directories.has(folded)) throw unsafe(name, "is both a file and a directory");
}
