import { TwinsealError } from "../errors.ts";
import { unsafe } from "./archive-safety.ts";
import type { TarEntry } from "./tar-stream.ts";

/**
 * What the layers of an image make when they are laid over each other, in memory: no name of an archive touches a disk
 * before all of them are known. Names resolve as inside the finished root (chroot): a symbolic link on the way is
 * followed, an absolute one from the root, and `..` ends there. The rules are the image specification's (layer.md), and
 * containerd's where it leaves something open.
 */
export type LayerTree = {
  /** Whiteouts of the entries that follow hide what was there before this call, and nothing of their own layer. */
  readonly beginLayer: () => void;
  /** `content` stands for a file's bytes. Throws `alarm/ARCHIVE_UNSAFE`, `caller/IMAGE_UNSUPPORTED`. */
  readonly apply: (entry: TarEntry, content: number) => void;
  /** Every path once, a directory before what is in it. */
  readonly list: () => Iterable<TreeEntry>;
};
export type TreeEntry = { readonly path: string; readonly node: File | Symlink | { readonly kind: "directory" } };

type File = { readonly kind: "file"; readonly content: number };
type Symlink = { readonly kind: "symlink"; readonly target: string };
type Leaf = (File | Symlink) & { readonly layer: number };
/** `layer` is the last that has an entry for it, `clearedIn` the last that hid all of lower layers in it. */
type Directory = { readonly kind: "directory"; layer: number; clearedIn: number; readonly children: Map<string, Node> };
type Node = Directory | Leaf;
type Place = { readonly directory: Directory; readonly names: readonly string[] };

const MAX_NODES = 500_000;
const MAX_LINKS = 40; // as Linux follows
const MAX_DEPTH = 200;
const MAX_NAME_BYTES = 255;
const MAX_TARGET_BYTES = 4095;

/** The sandbox brings its own: what an image has in these is passed over. A lock's digest depends on it. */
const ownedBySandbox: ReadonlySet<string> = new Set(["dev", "proc", "sys"]);
/** The pinned Go lies there in one of the builds; images with a C compiler often bring another. */
const otherGo = "usr/local/go";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** Notes of aufs to itself, which no runtime reads. */
const WHITEOUT_NOTE = ".wh..wh.";

export function createLayerTree(): LayerTree {
  let layer = 0;
  let nodes = 0;
  const newDirectory = (): Directory => ({ kind: "directory", layer, clearedIn: -1, children: new Map() });
  const root = newDirectory();

  const put = (directory: Directory, name: string, node: Node): void => {
    if (++nodes > MAX_NODES) throw unsafe(name, `is one of more than ${MAX_NODES}`);
    directory.children.set(name, node);
  };

  /** Where a path leads to; what is missing on the way is made where `create` says so. */
  const resolve = (parts: readonly string[], name: string, create: boolean): Place => {
    const way: Directory[] = [];
    const names: string[] = [];
    const ahead = parts.toReversed();
    let links = 0;
    for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
      const here = way.at(-1) ?? root;
      if (part === "" || part === ".") continue;
      if (part === "..") {
        way.pop();
        names.pop();
        continue;
      }
      let next = here.children.get(part);
      if (next === undefined) {
        if (!create) throw unsafe(name, "is a link to what is not there");
        next = newDirectory();
        put(here, part, next);
      }
      if (next.kind === "file") throw unsafe(name, `lies below ${JSON.stringify(part)}, which is a file`);
      if (next.kind === "symlink") {
        if (++links > MAX_LINKS) throw unsafe(name, "leads through too many links");
        if (next.target.startsWith("/")) way.length = names.length = 0;
        ahead.push(...next.target.split("/").toReversed());
        continue;
      }
      names.push(part);
      if (way.push(next) > MAX_DEPTH) throw unsafe(name, `lies deeper than ${MAX_DEPTH} directories`);
    }
    return { directory: way.at(-1) ?? root, names };
  };

  const hideLower = (directory: Directory, name: string): void => {
    const node = directory.children.get(name);
    if (node === undefined) return;
    if (node.kind === "directory") clearLower(node);
    const holdsOwn = node.kind === "directory" && node.children.size > 0;
    if (node.layer !== layer && !holdsOwn) directory.children.delete(name);
  };
  const clearLower = (directory: Directory): void => {
    if (directory.clearedIn === layer) return;
    directory.clearedIn = layer;
    for (const name of directory.children.keys()) hideLower(directory, name);
  };

  const applyWhiteout = (entry: TarEntry, directory: Directory, base: string): void => {
    if (entry.kind !== "file" && entry.kind !== "hardlink")
      throw unsafe(entry.name, "has a name that only a whiteout may have");
    if (base === OPAQUE) return clearLower(directory);
    if (base.startsWith(WHITEOUT_NOTE)) return;
    const hidden = base.slice(WHITEOUT.length);
    if (hidden === "" || hidden === "." || hidden === "..") throw unsafe(entry.name, "hides no name");
    hideLower(directory, hidden);
  };

  /** A hard link is one more name of its target, which is not followed when it is a symbolic link itself. */
  const linked = ({ name, target }: TarEntry): Leaf => {
    const parts = partsOf(target, name);
    const found = resolve(parts.slice(0, -1), name, false).directory.children.get(parts.at(-1) ?? "");
    if (found === undefined || found.kind === "directory")
      throw unsafe(name, `is a link to ${JSON.stringify(target)}, and no file is there`);
    return { ...found, layer };
  };

  const leafOf = (entry: TarEntry, content: number): Leaf => {
    if (entry.kind === "file") return { kind: "file", content, layer };
    if (entry.kind === "hardlink") return linked(entry);
    if (entry.kind !== "symlink") throw unsupported(entry);
    const { name, target } = entry;
    if (target === "" || Buffer.byteLength(target) > MAX_TARGET_BYTES) throw unsafe(name, "is a link to nowhere");
    return { kind: "symlink", target, layer };
  };

  const apply = (entry: TarEntry, content: number): void => {
    const parts = partsOf(entry.name, entry.name);
    const base = parts.at(-1);
    if (base === undefined) {
      if (entry.kind === "directory") return; // the root itself
      throw unsafe(entry.name, "would replace the root");
    }
    const { directory, names } = resolve(parts.slice(0, -1), entry.name, true);
    if (ownedBySandbox.has(names[0] ?? base) && (names.length > 0 || entry.kind !== "directory")) return;
    if (base.startsWith(WHITEOUT)) return applyWhiteout(entry, directory, base);
    const known = directory.children.get(base);
    if (entry.kind !== "directory") put(directory, base, leafOf(entry, content));
    else if (known?.kind === "directory") known.layer = layer;
    else put(directory, base, newDirectory());
  };

  return { beginLayer: () => void layer++, apply, list: () => walk(root, "") };
}

function* walk(directory: Directory, below: string): Generator<TreeEntry> {
  for (const [name, node] of directory.children) {
    const path = `${below}${name}`;
    const isLeftOut = ownedBySandbox.has(path) || path === otherGo;
    if (node.kind === "directory" || !isLeftOut) yield { path, node };
    if (node.kind === "directory" && !isLeftOut) yield* walk(node, `${path}/`);
  }
}

/** Parts of an archived name; a leading `/` or `./` means the root, as it does for every unpacker of images. */
function partsOf(path: string, name: string): readonly string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw unsafe(name, "points out of the archive");
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)) throw unsafe(name, "is too long for a file");
  return parts;
}

function unsupported({ name, kind }: TarEntry): TwinsealError {
  return new TwinsealError("caller", "IMAGE_UNSUPPORTED", `the image has ${JSON.stringify(name)}, a ${kind}`, {
    hint: "choose another image: a compiler needs files, directories and links only",
  });
}
