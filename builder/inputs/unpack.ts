import { Readable, pipeline, type Duplex } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";

export type Packing = "none" | "gz" | "xz" | "zst";

/**
 * The bytes that a packed stream holds, each chunk only until the next is asked for. Whoever reads them counts them: a few bytes can unpack to any number. Throws what
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
      return releasing(new xz.XzReadableStream(Readable.toWeb(source)));
    }
  }
}

/** Gives each chunk's memory back at once: the collector would let it grow to a hundred megabytes first. */
async function* releasing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    if (chunk.buffer instanceof ArrayBuffer) chunk.buffer.transfer(0);
  }
}

const CHUNK_BYTES = 1 << 17;

function through(source: Readable, unpacker: Duplex): Duplex {
  return pipeline(source, unpacker, () => {}); // a failure of either is the reader's to see
}
