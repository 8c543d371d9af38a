import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { z } from "zod";

/** SHA-256 as 64 lower-case hex digits. */
export const sha256Schema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "a sha256 is 64 lower-case hex digits")
  .brand<"Sha256">();
export type Sha256 = z.infer<typeof sha256Schema>;

/** Go's `h1:` directory hash: base64 of a SHA-256 over sorted `sha256  name` lines (golang.org/x/mod/sumdb/dirhash). */
export const h1Schema = z
  .string()
  .regex(/^h1:[A-Za-z0-9+/]{43}=$/, "an h1 is h1: and 44 base64 characters")
  .brand<"H1">();
export type H1 = z.infer<typeof h1Schema>;

export function sha256Of(bytes: string | Uint8Array): Sha256 {
  return sha256Schema.parse(createHash("sha256").update(bytes).digest("hex"));
}

const BUFFER_BYTES = 1 << 18;
/** Used again: a buffer per file would be garbage by the hundred megabytes before anyone collects it. */
const idleBuffers: Buffer[] = [];

/** Digest and size of a file, read through one small buffer. */
export async function digestFile(path: string): Promise<{ sha256: Sha256; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const file = await open(path, "r");
  const buffer = idleBuffers.pop() ?? Buffer.allocUnsafe(BUFFER_BYTES);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, BUFFER_BYTES, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      sizeBytes += bytesRead;
    }
  } finally {
    idleBuffers.push(buffer);
    await file.close();
  }
  return { sha256: sha256Schema.parse(hash.digest("hex")), sizeBytes };
}
