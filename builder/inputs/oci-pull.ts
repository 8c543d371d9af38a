import { IMAGE_HINT } from "./oci-wanted.ts";
import { readFile } from "node:fs/promises";
import { TwinsealError } from "../errors.ts";
import type { Http } from "../http.ts";
import type { Blob } from "../recipe/lock.ts";
import { blobPath, blobSize, hasBlob, putBlob, type Store } from "../store/store.ts";
import { fetchBlob } from "./fetch-blob.ts";
import type { DescribedLayer, ImageSource } from "./oci-image.ts";
import { MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES } from "./oci-manifest.ts";
import { packingOf } from "./layer-packing.ts";
import { fetchManifest } from "./oci-registry.ts";
import { MAX_IMAGE_BYTES } from "./oci-rootfs.ts";
import { storedLayers, storedSource } from "./oci-stored.ts";
import { blobUrl, digestText, type ImageReference } from "./oci-reference.ts";

export type PullDeps = {
  readonly store: Store;
  /** That of `createRegistryHttp`. */
  readonly http: Http;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
};

const PARALLEL = 6;

/**
 * An image of a registry; everything of it goes through the store, and what is there is not fetched again. Throws
 * `alarm/DIGEST_MISMATCH`, `world/IMAGE_NOT_FOUND`, `world/REGISTRY_DENIED`, `world/NETWORK`, `world/IMAGE_TOO_LARGE`.
 */
export function pulledSource(reference: ImageReference, deps: PullDeps): ImageSource {
  const { store, http, signal } = deps;
  const stored = storedSource(store);
  const fetch = async (label: string, blob: Blob) => {
    const urls = [blobUrl(reference, blob.sha256)];
    await fetchBlob({ label, ...blob, urls, from: "lock", hint: IMAGE_HINT }, { store, http, signal });
    await assertSize(label, blob, store);
  };
  return {
    readManifest: async (sha256) => {
      if (await hasBlob(store, sha256)) return stored.readManifest(sha256);
      const { bytes } = await fetchManifest(reference, digestText(sha256), http, signal);
      await putBlob(store, oneChunk(bytes), { sha256 }, { maxBytes: MAX_MANIFEST_BYTES });
      return bytes;
    },
    readConfig: async (config) => {
      if (config.sizeBytes > MAX_CONFIG_BYTES) throw tooLarge("the image's config", MAX_CONFIG_BYTES);
      await fetch("the image's config", config);
      return readFile(blobPath(store, config.sha256));
    },
    openLayers: async (layers) => {
      for (const { mediaType } of layers) packingOf(mediaType); // before anything is fetched for nothing
      const totalBytes = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (totalBytes > MAX_IMAGE_BYTES) throw tooLarge("the image", MAX_IMAGE_BYTES);
      deps.say(`fetching ${layers.length} layers of the image, ${(totalBytes / 1e6).toFixed(1)} MB`);
      await fetchLayers(layers, fetch);
      return storedLayers(layers, store);
    },
  };
}

async function fetchLayers(
  layers: readonly DescribedLayer[],
  fetch: (label: string, blob: Blob) => Promise<void>,
): Promise<void> {
  const queue = layers.entries();
  let fault: { readonly error: unknown } | undefined;
  const work = async () => {
    // All workers take from the one iterator.
    for (const [at, { sha256, sizeBytes }] of queue) {
      if (fault !== undefined) return;
      try {
        await fetch(`layer ${at + 1} of ${layers.length}`, { sha256, sizeBytes });
      } catch (error) {
        fault ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, layers.length) }, work));
  if (fault !== undefined) throw fault.error;
}

/** The lock gets the size from the manifest: bytes that have the digest and another size would never be found again. */
async function assertSize(label: string, { sha256, sizeBytes }: Blob, store: Store): Promise<void> {
  const found = await blobSize(store, sha256);
  if (found === sizeBytes) return;
  throw new TwinsealError(
    "alarm",
    "IMAGE_CONTRADICTS",
    `${label} has ${found} bytes, and its manifest says ${sizeBytes}`,
  );
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

function tooLarge(what: string, maxBytes: number): TwinsealError {
  return new TwinsealError("world", "IMAGE_TOO_LARGE", `${what} has more than ${maxBytes} bytes`, {
    hint: "choose a smaller image",
  });
}
