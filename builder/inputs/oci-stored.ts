import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import type { Sha256 } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import type { LockedImage } from "../recipe/lock.ts";
import { verifyBlob, type Store } from "../store/store.ts";
import { lockedLayers, readImage, type DescribedLayer, type ImageSource } from "./oci-image.ts";
import { parseReference } from "./oci-reference.ts";
import { layOutImage, type ImageLayer } from "./oci-rootfs.ts";
import { rootfsTree } from "./rootfs.ts";

/** What was fetched before. Throws `world/BLOB_MISSING`, `alarm/STORE_DAMAGED`. */
export function storedSource(store: Store): ImageSource {
  const read = async (sha256: Sha256) => readFile(await verifyBlob(store, sha256));
  return {
    readManifest: read,
    readConfig: ({ sha256 }) => read(sha256),
    openLayers: (layers) => storedLayers(layers, store),
  };
}

/** Layers of the store, each digested again. */
export async function storedLayers(layers: readonly DescribedLayer[], store: Store): Promise<readonly ImageLayer[]> {
  const opened: ImageLayer[] = [];
  for (const { sha256, mediaType, diffId } of layers) {
    const path = await verifyBlob(store, sha256);
    opened.push({ mediaType, diffId, open: () => createReadStream(path, { highWaterMark: 1 << 18 }) });
  }
  return opened;
}

/**
 * Directory of a locked image's files, made in the store once; then the way from the recipe's digest to every layer is
 * followed again. Only to be read. Throws `alarm/LOCK_CONTRADICTS` when the lock names what the digest does not lead to,
 * and what `rootfsTree` throws.
 */
export async function imageTree(store: Store, locked: LockedImage): Promise<string> {
  return rootfsTree(store, locked.rootfs, async (dir) => {
    const source = storedSource(store);
    const layers = await assertLedTo(locked, source);
    await layOutImage(await source.openLayers(layers, locked.config), dir);
  });
}

async function assertLedTo(locked: LockedImage, source: ImageSource): Promise<readonly DescribedLayer[]> {
  const { index, manifest, config, image: name, host } = locked;
  const { digest } = parseReference(name);
  const named = new Set([index, manifest, config].map((blob) => blob?.sha256));
  const assertNamed = (sha256: Sha256) => {
    if (!named.has(sha256)) throw contradiction(name);
  };
  const watched: ImageSource = {
    ...source,
    readManifest: async (sha256) => (assertNamed(sha256), source.readManifest(sha256)),
    readConfig: async (blob) => (assertNamed(blob.sha256), source.readConfig(blob)),
  };
  if (digest === undefined) throw contradiction(name);
  const image = await readImage(digest, name, host, watched);
  const expected = { ...(index === undefined ? {} : { index }), manifest, config, layers: locked.layers };
  if (isDeepStrictEqual({ ...image, layers: lockedLayers(image.layers) }, expected)) return image.layers;
  throw contradiction(name);
}

function contradiction(name: string): TwinsealError {
  return new TwinsealError("alarm", "LOCK_CONTRADICTS", `the lock names other inputs than ${name} leads to`, {
    hint: "who wrote the lock? twinseal pin writes it anew",
  });
}
