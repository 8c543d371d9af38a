import { gzipSync, zstdCompressSync } from "node:zlib";
import { sha256Of, type Sha256 } from "../../builder/digest.ts";
import { makeTar, type MadeEntry } from "./tar-maker.ts";

export type ImagePlatform = { readonly os: string; readonly architecture: string; readonly variant?: string };
export type MadeBlob = { readonly sha256: Sha256; readonly bytes: Buffer; readonly mediaType: string };
/** An image as a registry holds it. */
export type MadeImage = {
  readonly manifest: MadeBlob;
  readonly config: MadeBlob;
  readonly layers: readonly MadeBlob[];
  /** The unpacked layers. */
  readonly tars: readonly Buffer[];
};

export type Packing = "tar" | "gzip" | "zstd";
const amd64: ImagePlatform = { os: "linux", architecture: "amd64" };

const blob = (bytes: Buffer, mediaType: string): MadeBlob => ({ bytes, mediaType, sha256: sha256Of(bytes) });
const json = (value: unknown, mediaType: string) => blob(Buffer.from(JSON.stringify(value)), mediaType);
export const descriptorOf = ({ sha256, bytes, mediaType }: MadeBlob) => ({
  mediaType,
  digest: `sha256:${sha256}`,
  size: bytes.length,
});

/** Of layers given by their entries or as a tar. */
export function makeImage(
  layers: readonly (readonly MadeEntry[] | Buffer)[],
  options: { readonly packing?: Packing; readonly platform?: ImagePlatform; readonly diffIds?: readonly string[] } = {},
): MadeImage {
  const { packing = "gzip", platform = amd64 } = options;
  const tars = layers.map((layer) => (Buffer.isBuffer(layer) ? layer : makeTar(layer)));
  const config = json(
    {
      ...platform,
      config: { Env: ["PATH=/usr/bin"] },
      rootfs: { type: "layers", diff_ids: options.diffIds ?? tars.map((tar) => `sha256:${sha256Of(tar)}`) },
    },
    "application/vnd.oci.image.config.v1+json",
  );
  const packed = tars.map((tar) => blob(pack(tar, packing), layerType(packing)));
  return { config, layers: packed, tars, manifest: makeManifest(config, packed) };
}

export function makeManifest(config: MadeBlob, layers: readonly MadeBlob[]): MadeBlob {
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  return json(
    { schemaVersion: 2, mediaType, config: descriptorOf(config), layers: layers.map(descriptorOf) },
    mediaType,
  );
}

export function makeIndex(images: readonly (readonly [MadeBlob, ImagePlatform])[]): MadeBlob {
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const manifests = images.map(([manifest, platform]) => ({ ...descriptorOf(manifest), platform }));
  return json({ schemaVersion: 2, mediaType, manifests }, mediaType);
}

function pack(tar: Buffer, packing: Packing): Buffer {
  return packing === "tar" ? tar : packing === "gzip" ? gzipSync(tar) : zstdCompressSync(tar);
}

function layerType(packing: Packing): string {
  return `application/vnd.oci.image.layer.v1.tar${packing === "tar" ? "" : `+${packing}`}`;
}
