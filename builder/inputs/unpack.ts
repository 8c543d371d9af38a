import { Readable, pipeline, type Duplex } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";

export type Packing = "none" | "gz" | "xz" | "zst";

/**
 * The bytes that a packed stream holds. Whoever reads them counts them: a few bytes can unpack to any number. Throws what
 * the unpacker throws for damaged input.
 */
export async function unpacked(source: Readable, packing: Packing): Promise<AsyncIterable<unknown>> {
  switch (packing) {
    case "none":
      return source;
    case "gz":
      return through(source, createGunzip({ chunkSize: CHUNK_BYTES }));
    case "zst":
      return through(source, createZstdDecompress({ chunkSize: CHUNK_BYTES }));
    case "xz": {
      const { default: xz } = await import("xz-decompress"); // CommonJS that hides its names from Node
      return new xz.XzReadableStream(Readable.toWeb(source));
    }
  }
}

const CHUNK_BYTES = 1 << 17;

function through(source: Readable, unpacker: Duplex): Duplex {
  return pipeline(source, unpacker, () => {}); // a failure of either is the reader's to see
}
