import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fchmodSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Sha256 } from "../digest.ts";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import { unsafe } from "./archive-safety.ts";
import { createLayerTree, type LayerTree } from "./layer-tree.ts";
import { packingOf, unpackLayer } from "./layer-packing.ts";
import { createTarReader, type TarBody, type TarEntry } from "./tar-stream.ts";

export type ImageLayer = {
  /** Packed as `mediaType` says. */
  readonly open: () => Readable;
  readonly mediaType: string;
  /** Digest of the unpacked tar, as the image's config names it. */
  readonly diffId: Sha256;
};

export const MAX_IMAGE_BYTES = 8 * 1024 ** 3;

/**
 * Lays an image's layers over each other in an empty directory: directories 0755, files 0644 or, where anyone may run
 * them, 0755; no owner, no set-user-id bit, no extended attribute. What lies in /dev, /proc, /sys and
 * /usr/local/go is passed over; a device or a pipe elsewhere is refused. Throws `alarm/DIGEST_MISMATCH` for a layer that is not what the
 * config names, `alarm/ARCHIVE_UNSAFE`, `caller/IMAGE_UNSUPPORTED`, `world/IMAGE_TOO_LARGE`.
 */
export async function layOutImage(
  layers: readonly ImageLayer[],
  dir: string,
  limits: { readonly maxBytes: number } = { maxBytes: MAX_IMAGE_BYTES },
): Promise<void> {
  const tree = createLayerTree();
  // Bodies are numbered, so that where they end up is decided when all layers are known.
  const bodies = join(dir, randomUUID());
  mkdirSync(bodies);
  let count = 0;
  let totalBytes = 0;
  for (const layer of layers) {
    tree.beginLayer();
    let body: DiskBody | undefined;
    const onEntry = (entry: TarEntry): TarBody | undefined => {
      const content = count++;
      tree.apply(entry, content);
      return (body = entry.kind === "file" ? openBody(join(bodies, String(content)), entry.mode) : undefined);
    };
    const onBytes = (bytes: number) => {
      totalBytes += bytes;
      if (totalBytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
    };
    try {
      await readLayer(layer, onEntry, onBytes);
    } finally {
      body?.close();
    }
  }
  writeTree(tree, bodies, dir);
  rmSync(bodies, { recursive: true });
}

async function readLayer(
  { open, mediaType, diffId }: ImageLayer,
  onEntry: (entry: TarEntry) => TarBody | undefined,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const hash = createHash("sha256");
  const reader = createTarReader(onEntry);
  const read = async (chunks: AsyncIterable<unknown>) => {
    for await (const chunk of chunks) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError("expected bytes");
      onBytes(chunk.length);
      hash.update(chunk);
      reader.write(chunk);
    }
    reader.end();
  };
  try {
    await unpackLayer(open(), packingOf(mediaType), read);
  } catch (error) {
    if (error instanceof TwinsealError || !/^(Z_|ZSTD_|ERR_ZSTD)/.test(systemCodeOf(error) ?? "")) throw error;
    throw mismatch(diffId, `cannot be unpacked: ${messageOf(error)}`, error);
  }
  const found = hash.digest("hex");
  if (found !== diffId) throw mismatch(diffId, `has the digest ${found} when it is unpacked`);
}

type DiskBody = TarBody & { readonly close: () => void };

function openBody(path: string, mode: number): DiskBody {
  let file: number | undefined = openSync(path, "wx");
  const close = () => {
    if (file !== undefined) closeSync(file);
    file = undefined;
  };
  return {
    write: (chunk) => {
      if (file === undefined) return;
      for (let done = 0; done < chunk.length;) done += writeSync(file, chunk, done);
    },
    end: () => {
      if (file !== undefined) fchmodSync(file, (mode & 0o111) === 0 ? 0o644 : 0o755); // whatever the umask
      close();
    },
    close,
  };
}

/** Each path is new and each directory above it was made here: nothing can be followed out. */
function writeTree(tree: LayerTree, bodies: string, dir: string): void {
  const placed = new Map<number, string>();
  for (const { path, node } of tree.list()) {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw unsafe(path, "is too long for a file");
    const to = join(dir, path);
    if (node.kind === "directory") {
      mkdirSync(to);
      chmodSync(to, 0o755);
    } else if (node.kind === "symlink") symlinkSync(node.target, to);
    else {
      const first = placed.get(node.content);
      if (first === undefined) renameSync(join(bodies, String(node.content)), to);
      else linkSync(first, to);
      placed.set(node.content, first ?? to);
    }
  }
}

/** Linux takes 4095, and the store's own path stands in front. */
const MAX_PATH_BYTES = 3000;

function mismatch(diffId: Sha256, what: string, cause?: unknown): TwinsealError {
  return new TwinsealError("alarm", "DIGEST_MISMATCH", `the layer ${diffId} ${what}`, {
    hint: "the image contradicts itself: its config names another layer; nothing was kept",
    ...(cause === undefined ? {} : { cause }),
  });
}

function tooLarge(maxBytes: number): TwinsealError {
  return new TwinsealError("world", "IMAGE_TOO_LARGE", `the image's layers unpack to more than ${maxBytes} bytes`, {
    hint: "choose a smaller image",
  });
}
