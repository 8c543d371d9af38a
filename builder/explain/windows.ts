import { open } from "node:fs/promises";

/** A part of a file; its bytes are valid until the next one is asked for. */
export type Window = { readonly bytes: Buffer; readonly offset: number };

const WINDOW_BYTES = 1 << 19;

/** Reads a file through one buffer; each window begins with the last `overlapBytes` of the one before. */
export async function* readWindows(path: string, overlapBytes: number): AsyncGenerator<Window> {
  const buffer = Buffer.allocUnsafe(WINDOW_BYTES + overlapBytes);
  const file = await open(path, "r");
  try {
    let kept = 0;
    let offset = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, kept, WINDOW_BYTES, null);
      if (bytesRead === 0) return;
      const length = kept + bytesRead;
      yield { bytes: buffer.subarray(0, length), offset };
      const next = Math.min(overlapBytes, length);
      buffer.copyWithin(0, length - next, length);
      offset += length - next;
      kept = next;
    }
  } finally {
    await file.close();
  }
}
