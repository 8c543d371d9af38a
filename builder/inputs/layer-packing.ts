import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { TwinsealError } from "../errors.ts";
import { cutFrames } from "./zstd-frames.ts";

export type Packing = "tar" | "gzip" | "zstd";

const packings: Readonly<Record<string, Packing>> = {
  "application/vnd.oci.image.layer.v1.tar": "tar",
  "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
  "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
  "application/vnd.docker.image.rootfs.diff.tar": "tar",
  "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
};

/** How a layer is packed (image-spec, media-types.md, and Docker's older names). Throws `caller/IMAGE_UNSUPPORTED`. */
export function packingOf(mediaType: string): Packing {
  const packing = packings[mediaType];
  if (packing !== undefined) return packing;
  throw new TwinsealError("caller", "IMAGE_UNSUPPORTED", `the image has a layer of the kind ${mediaType}`, {
    hint: `known are ${Object.keys(packings).join(", ")}`,
  });
}

const CHUNK_BYTES = 1 << 18;
/** A frame may ask for a window of gigabytes; nobody packs layers so. */
const MAX_WINDOW_LOG = 26;

/** Hands a layer's unpacked bytes to `read`. Throws what `read` does, and zlib's errors. */
export async function unpackLayer(
  source: Readable,
  packing: Packing,
  read: (chunks: AsyncIterable<unknown>) => Promise<void>,
): Promise<void> {
  if (packing === "tar") return pipeline(source, read);
  if (packing === "gzip") return pipeline(source, createGunzip({ chunkSize: CHUNK_BYTES }), read);
  const unpacked = createZstdDecompress({
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
  });
  return pipeline(source, cutFrames, unpacked, read);
}
