import { posix } from "node:path";
import { create, extract, list, Parser, type ReadEntry } from "tar";
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

/** One entry of a tar as it stands there; the name without `./` in front and `/` behind, empty for the root. */
export type TarEntry = {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink" | "hardlink";
  /** Of a link. */
  readonly target: string;
  /** Whether anyone may run it. */
  readonly executable: boolean;
};

/** Takes one file's bytes, in order. */
export type FileSink = { readonly write: (chunk: Uint8Array) => void; readonly close: () => void };

export type TarLimits = { readonly maxBytes: number; readonly maxEntries: number };

/**
 * Reads an uncompressed tar as it comes and hands over entry by entry; a file's bytes go into the sink that `take` returns,
 * or nowhere. Throws `alarm/ARCHIVE_UNSAFE` for a tar that is damaged, cut off, over its limits, or holds anything but files,
 * directories and links; and what `take` throws. Returns the number of bytes read.
 */
export async function readTarEntries(
  source: AsyncIterable<unknown>,
  limits: TarLimits,
  take: (entry: TarEntry) => FileSink | undefined,
): Promise<number> {
  let fault: unknown;
  let last = "tar";
  let entries = 0;
  let ended = false;
  // Whatever a listener throws must not pass through the parser, which would go on with half a state.
  const guard = (work: () => void) => {
    if (fault !== undefined) return;
    try {
      work();
    } catch (error) {
      fault = error;
    }
  };
  const onReadEntry = (entry: ReadEntry) => {
    last = entry.path;
    guard(() => {
      if (++entries > limits.maxEntries) throw unsafe(last, `is one of more than ${limits.maxEntries} entries`);
      const sink = take(tarEntryOf(entry));
      if (sink === undefined) return;
      entry.on("data", (chunk) => guard(() => sink.write(chunk)));
      entry.on("end", () => guard(() => sink.close()));
    });
    entry.resume();
  };
  const parser = new Parser({ strict: true, zstd: false, onReadEntry });
  parser.on("error", (error: unknown) => (fault ??= unsafe(last, "cannot be read", error)));
  // What the parser passes over in silence: a kind that it does not know, a name that is too long.
  parser.on("ignoredEntry", ({ path, type }: ReadEntry) => (fault ??= unsafe(path, `is a ${type}`)));
  parser.on("eof", () => (ended = true));
  // Whole blocks only, so that the parser keeps nothing of what it was given.
  const feed = inBlocks((blocks) => {
    if (!ended && fault === undefined && !parser.write(blocks)) fault ??= new Error("the tar parser fell behind");
  });
  let totalBytes = 0;
  for await (const chunk of source) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("expected bytes");
    // A name cannot begin like this, and the parser would take it for a packed tar.
    if (totalBytes === 0 && chunk[0] === GZIP_FIRST_BYTE) throw unsafe(last, "is packed twice");
    totalBytes += chunk.length;
    if (totalBytes > limits.maxBytes) throw unsafe(last, `makes the archive larger than ${limits.maxBytes} bytes`);
    feed(chunk);
    if (fault !== undefined) throw fault;
  }
  if (!ended) throw unsafe(last, "is where the archive breaks off");
  return totalBytes;
}

const GZIP_FIRST_BYTE = 0x1f;
const BLOCK_BYTES = 512;

/** Cuts bytes as they come into multiples of tar's block; what is given on is good until the call returns. */
function inBlocks(use: (blocks: Buffer) => void): (chunk: Uint8Array) => void {
  const buffer = Buffer.allocUnsafe(128 * BLOCK_BYTES);
  let filled = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + buffer.length - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      const whole = filled - (filled % BLOCK_BYTES);
      if (whole === 0) return;
      use(buffer.subarray(0, whole));
      buffer.copyWithin(0, whole, filled);
      filled -= whole;
    }
  };
}

const entryKinds: ReadonlyMap<string, TarEntry["kind"]> = new Map([
  ["File", "file"],
  ["OldFile", "file"],
  ["ContiguousFile", "file"],
  ["Directory", "directory"],
  ["SymbolicLink", "symlink"],
  ["Link", "hardlink"],
]);

function tarEntryOf({ path, type, mode = 0, linkpath = "" }: ReadEntry): TarEntry {
  const bare = path.replace(/^\.\//, "").replace(/\/+$/, "");
  const kind = entryKinds.get(type);
  if (kind === undefined) throw unsafe(bare, `is a ${type}`);
  return { name: bare === "." ? "" : bare, kind, target: linkpath, executable: (mode & 0o111) !== 0 };
}

function leavesTree(name: string, target: string): boolean {
  return target.startsWith("/") || posix.normalize(posix.join(posix.dirname(name), target)).startsWith("..");
}
