import type { Sha256 } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import type { Host } from "../platform.ts";
import type { Blob, LockedLayer } from "../recipe/lock.ts";
import {
  assertPlatform,
  chooseManifest,
  parseConfig,
  parseIndexOrManifest,
  parseManifest,
  type ImageManifest,
} from "./oci-manifest.ts";
import type { ImageLayer } from "./oci-rootfs.ts";

/** A layer with the digest that it has when it is unpacked. */
export type DescribedLayer = LockedLayer & { readonly diffId: Sha256 };

/** Where an image comes from. What it reads has its digest, or it throws `alarm/DIGEST_MISMATCH`. */
export type ImageSource = {
  /** An index or a manifest. */
  readonly readManifest: (sha256: Sha256) => Promise<Buffer>;
  readonly readConfig: (config: Blob) => Promise<Buffer>;
  readonly openLayers: (layers: readonly DescribedLayer[], config: Blob) => Promise<readonly ImageLayer[]>;
};

/** All that a digest leads to on one host. */
export type Image = {
  readonly index?: Blob;
  readonly manifest: LockedLayer;
  readonly config: Blob;
  /** In the order in which they are laid over each other. */
  readonly layers: readonly DescribedLayer[];
};

/** As a lock has them: the config, which it names too, tells the unpacked digest. */
export function lockedLayers(layers: readonly DescribedLayer[]): LockedLayer[] {
  return layers.map(({ sha256, sizeBytes, mediaType }) => ({ sha256, sizeBytes, mediaType }));
}

const MAX_LAYERS = 1000;

/**
 * Follows an image's digest through index and manifest to config and layers. `name` is for messages. Throws
 * `caller/IMAGE_PLATFORM`, `caller/IMAGE_UNSUPPORTED`, and what the source throws.
 */
export async function readImage(digest: Sha256, name: string, host: Host, source: ImageSource): Promise<Image> {
  const bytes = await source.readManifest(digest);
  const top = parseIndexOrManifest(bytes, name);
  if (!("manifests" in top)) return describe(top, { sha256: digest, sizeBytes: bytes.length }, name, host, source);
  const index = { sha256: digest, sizeBytes: bytes.length };
  const chosen = chooseManifest(top, host, name);
  const own = await source.readManifest(chosen.digest);
  const manifest = parseManifest(own, `the manifest of ${name} for ${host}`);
  const image = await describe(manifest, { sha256: chosen.digest, sizeBytes: own.length }, name, host, source);
  return { index, ...image };
}

async function describe(
  { mediaType, config: described, layers }: ImageManifest,
  manifest: Blob,
  name: string,
  host: Host,
  source: ImageSource,
): Promise<Image> {
  const config = { sha256: described.digest, sizeBytes: described.size };
  const bytes = await source.readConfig(config);
  const { rootfs, ...platform } = parseConfig(bytes, `the config of ${name}`);
  assertPlatform(platform, host, name);
  if (bytes.length !== described.size)
    throw contradiction(name, `its config has ${bytes.length} bytes, and its manifest says ${described.size}`);
  const listed = layers.map(({ digest, size, mediaType: kind }) => ({
    sha256: digest,
    sizeBytes: size,
    mediaType: kind,
  }));
  return {
    manifest: { ...manifest, mediaType: mediaType ?? "application/vnd.oci.image.manifest.v1+json" },
    config,
    layers: describeLayers(listed, rootfs.diff_ids, name),
  };
}

/** Throws `alarm/IMAGE_CONTRADICTS` where manifest and config do not have as many. */
export function describeLayers(
  layers: readonly LockedLayer[],
  diffIds: readonly Sha256[],
  name: string,
): readonly DescribedLayer[] {
  const described = layers.flatMap((layer, at) => {
    const diffId = diffIds[at];
    return diffId === undefined ? [] : [{ ...layer, diffId }];
  });
  if (described.length !== layers.length || diffIds.length !== layers.length || layers.length > MAX_LAYERS)
    throw contradiction(name, `its manifest has ${layers.length} layers, its config ${diffIds.length}`);
  return described;
}

function contradiction(name: string, what: string): TwinsealError {
  return new TwinsealError("alarm", "IMAGE_CONTRADICTS", `${name} contradicts itself: ${what}`, {
    hint: "nothing was kept; ask whoever published it",
  });
}
