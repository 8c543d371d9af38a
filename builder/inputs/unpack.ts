import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { pipeline, type Duplex } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { createGunzip, createInflateRaw, createZstdDecompress } from "node:zlib";

export type Packing = "none" | "deflate" | "gz" | "xz" | "zst";

/** A part of a file. */
export type Packed = { readonly path: string; readonly offset: number; readonly sizeBytes: number };

const CHUNK_BYTES = 1 << 17;

/**
 * The bytes that a packed part of a file holds, each chunk only until the next is asked for. Whoever reads them counts
 * them: a few bytes can unpack to any number. Throws what the unpacker throws for damaged input.
 */
export function unpacked(packed: Packed, packing: Packing): AsyncIterable<unknown> {
  switch (packing) {
    case "none":
      return streamOf(packed);
    case "deflate":
      return through(packed, createInflateRaw({ chunkSize: CHUNK_BYTES }));
    case "gz":
      return through(packed, createGunzip({ chunkSize: CHUNK_BYTES }));
    case "zst":
      return through(packed, createZstdDecompress({ chunkSize: CHUNK_BYTES }));
    case "xz":
      return unpackedXz(packed);
  }
}

function streamOf({ path, offset, sizeBytes }: Packed) {
  return createReadStream(path, { start: offset, end: offset + sizeBytes - 1, highWaterMark: CHUNK_BYTES });
}

function through(packed: Packed, unpacker: Duplex): Duplex {
  return pipeline(streamOf(packed), unpacker, () => {}); // a failure of either is the reader's to see
}

async function* unpackedXz(packed: Packed): AsyncGenerator<Uint8Array> {
  const { default: xz } = await import("xz-decompress"); // CommonJS that hides its names from Node
  const file = openSync(packed.path, "r");
  try {
    for await (const chunk of new xz.XzReadableStream(webStreamOf(file, packed))) yield chunk;
  } finally {
    closeSync(file); // the library does not close what it reads when it fails
  }
}

/** A new buffer for each part: nobody promises that the last one is used up when the next is asked for. */
function webStreamOf(file: number, { offset, sizeBytes }: Packed): ReadableStream<Uint8Array> {
  let done = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
        const bytes = readSync(file, buffer, 0, Math.min(CHUNK_BYTES, sizeBytes - done), offset + done);
        done += bytes;
        if (bytes > 0) controller.enqueue(buffer.subarray(0, bytes));
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
