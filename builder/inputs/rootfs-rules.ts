/**
 * Which files of a Debian package a compiler's root file system takes, and where they lie in it. docs/design.md has the
 * rule in words; a lock's rootfs digest depends on it, so a change here means new locks.
 */

/** Directories that Debian moved into usr/ (dpkg's term: aliased locations; base-files makes the links). */
export const mergedDirectories = ["bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"] as const;

/** What only people read: the larger part of many packages, and no compiler opens it. */
const unread = new Set([
  "applications",
  "apport",
  "bash-completion",
  "bug",
  "doc",
  "doc-base",
  "emacs",
  "fish",
  "gdb",
  "icons",
  "info",
  "lintian",
  "locale",
  "man",
  "menu",
  "metainfo",
  "pixmaps",
  "vim",
  "zsh",
]);

/**
 * The place in the root file system of a package's path (relative, without `.` and `..`), or undefined for what is left
 * out: all but usr/ and what Debian merged into it, of usr/share what only people read, and gcc's tool for looking into its own
 * objects, a sixth of a C compiler's bytes.
 */
export function rootfsPath(path: string): string | undefined {
  const [first = "", ...rest] = path.split("/");
  if ((mergedDirectories as readonly string[]).includes(first)) {
    return rest.length === 0 ? undefined : `usr/${path}`; // the link itself is ours to make
  }
  if (first !== "usr") return undefined;
  if (rest[0] === "share" && unread.has(rest[1] ?? "")) return undefined;
  return rest[0] === "bin" && /(^|-)lto-dump(-\d+)?$/.test(rest[1] ?? "") ? undefined : path;
}

/**
 * Names that Debian's maintainer scripts choose by update-alternatives, and what they choose, best first (the priorities of
 * gcc, g++ and clang). A name is made in usr/bin where a target is there and no package has the name itself.
 */
export const alternatives: readonly { readonly name: string; readonly targets: readonly string[] }[] = [
  { name: "cc", targets: ["gcc", "clang"] },
  { name: "c++", targets: ["g++", "clang++"] },
];
