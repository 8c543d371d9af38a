import { chmodSync, closeSync, fchmodSync, linkSync, mkdirSync, openSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { TwinsealError, systemCodeOf } from "../errors.ts";
import { unsafe } from "./archive-safety.ts";
import { readArMembers } from "./ar.ts";
import { rootfsPath } from "./rootfs-rules.ts";
import { readTarEntries, type FileSink, type TarEntry, type TarLimits } from "./tar.ts";
import { unpacked, type Packing } from "./unpack.ts";

const debLimits: TarLimits = { maxBytes: 3 * 1024 ** 3, maxEntries: 200_000 };

/**
 * Writes what a compiler reads of one Debian package (deb(5), format 2.0) into an empty directory, at the places that
 * `rootfsPath` gives: files 0644 or 0755, directories 0755, links to wherever they point. Nothing is written through a link:
 * each directory on the way was made here. Throws `alarm/ARCHIVE_UNSAFE`, naming the entry, for a package that leaves the
 * directory, holds a device, has a name twice, is damaged or over the limits. Returns the bytes unpacked.
 */
export async function extractDeb(path: string, dir: string, limits: TarLimits = debLimits): Promise<number> {
  const { packing, ...data } = await findData(path);
  const tree = createTree(dir);
  try {
    return await readTarEntries(unpacked({ path, ...data }, packing), limits, tree.take);
  } catch (error) {
    // The disk's own faults keep their code, all others are of the packed bytes.
    if (error instanceof TwinsealError || /^E[A-Z0-9]+$/.test(systemCodeOf(error) ?? "")) throw error;
    throw unsafe("data.tar", "cannot be unpacked", error);
  } finally {
    tree.close();
  }
}

type Data = { readonly offset: number; readonly sizeBytes: number; readonly packing: Packing };

/** The member with the files: after `debian-binary` and `control.tar`; names with `_` in front may stand between. */
async function findData(path: string): Promise<Data> {
  const members = (await readArMembers(path)).filter(({ name }) => !name.startsWith("_"));
  const [version, control, data] = members;
  const packing = /^data\.tar(?:\.(gz|xz|zst))?$/.exec(data?.name ?? "");
  if (version?.name !== "debian-binary" || control?.name.startsWith("control.tar") !== true)
    throw unsafe(version?.name ?? "ar", "is not where a Debian package begins");
  if (data === undefined || packing === null || data.sizeBytes === 0)
    throw unsafe(data?.name ?? "data.tar", "is no data.tar that can be unpacked");
  return { offset: data.offset, sizeBytes: data.sizeBytes, packing: packingOf(packing[1]) };
}

function packingOf(suffix: string | undefined): Packing {
  return suffix === "gz" || suffix === "xz" || suffix === "zst" ? suffix : "none";
}

type Kind = "file" | "directory" | "symlink";
type Tree = { readonly take: (entry: TarEntry) => FileSink | undefined; readonly close: () => void };

/** Makes entries below `dir`; what was made is remembered, and the file system is never asked where a path leads. */
function createTree(dir: string): Tree {
  const kinds = new Map<string, Kind>([["", "directory"]]);
  let open: number | undefined;
  const makeDirectory = (path: string) => {
    const kind = kinds.get(path);
    if (kind === "directory") return;
    if (kind !== undefined) throw unsafe(path, `is both a ${kind} and a directory`);
    makeDirectory(parentOf(path));
    mkdirSync(join(dir, path));
    chmodSync(join(dir, path), 0o755); // whatever the umask
    kinds.set(path, "directory");
  };
  const add = (path: string, kind: Kind) => {
    if (kinds.has(path)) throw unsafe(path, "occurs twice");
    makeDirectory(parentOf(path));
    kinds.set(path, kind);
  };
  const close = () => {
    if (open !== undefined) closeSync(open);
    open = undefined;
  };
  const take = ({ name, kind, target, executable }: TarEntry): FileSink | undefined => {
    const path = name === "" ? undefined : rootfsPath(assertInside(name));
    if (path === undefined) return undefined;
    if (kind === "directory") makeDirectory(path);
    else if (kind === "symlink") {
      add(path, "symlink");
      symlinkSync(assertText(path, target), join(dir, path));
    } else if (kind === "hardlink") {
      const inner = rootfsPath(assertInside(target.replace(/^\.\//, "")));
      if (inner === undefined || kinds.get(inner) !== "file")
        throw unsafe(name, `is a hard link to ${JSON.stringify(target)}, which is no file before it`);
      add(path, "file");
      linkSync(join(dir, inner), join(dir, path));
    } else {
      add(path, "file");
      const file = openSync(join(dir, path), "wx", 0o600);
      open = file;
      fchmodSync(file, executable ? 0o755 : 0o644);
      return { write: (chunk) => writeAll(file, chunk), close };
    }
    return undefined;
  };
  return { take, close };
}

const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

function assertInside(name: string): string {
  const parts = assertText(name, name).split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw unsafe(name, "points out of the package");
  return name;
}

/** Two names that are not UTF-8 could look like one to us. */
function assertText(name: string, text: string): string {
  if (text === "" || /[\0\uFFFD]/.test(text)) throw unsafe(name, "holds bytes that are no text");
  return text;
}

function writeAll(file: number, chunk: Uint8Array): void {
  for (let done = 0; done < chunk.length;) done += writeSync(file, chunk, done);
}
