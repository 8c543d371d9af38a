import { open, type FileHandle } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { inflateRawSync } from "node:zlib";
import { assertSafeEntries, unsafe } from "./archive-safety.ts";
import { unpacked } from "./unpack.ts";

/**
 * Reader of a zip's central directory (APPNOTE 6.3.9, sections 4.3.12 and 4.3.16; no zip64, no encryption, methods
 * stored and deflated), as Go's module zips are. Everything that two readers could take differently is refused.
 */
export type ZipEntry = {
  readonly name: string;
  readonly method: 0 | 8;
  readonly compressedBytes: number;
  readonly sizeBytes: number;
  readonly offset: number;
};

export type ZipFile = AsyncDisposable & {
  readonly entries: readonly ZipEntry[];
  /** The bytes of a file, one after the other; a small one's in one part. */
  readonly parts: (entry: ZipEntry) => AsyncGenerator<Uint8Array>;
  readonly read: (entry: ZipEntry) => Promise<Buffer>;
};

export type ZipLimits = { readonly maxTotalBytes: number; readonly maxEntries: number };
export const moduleZipLimits: ZipLimits = { maxTotalBytes: 2 * 1024 ** 3, maxEntries: 200_000 };

const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
/** A file above it is never in memory as a whole. */
const LARGE_BYTES = 1 << 20;

export async function openZip(path: string, limits: ZipLimits = moduleZipLimits): Promise<ZipFile> {
  const file = await open(path, "r");
  try {
    const entries = await readDirectory(file, limits);
    const parts = (entry: ZipEntry) => readParts(path, file, entry);
    return { entries, parts, read: (entry) => buffer(parts(entry)), [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readDirectory(file: FileHandle, limits: ZipLimits): Promise<readonly ZipEntry[]> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - END_BYTES - 65_535), Math.min(size, END_BYTES + 65_535));
  const end = tail.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0 || tail.length - end < END_BYTES) throw unsafe("zip", "has no central directory");
  const count = tail.readUInt16LE(end + 10);
  const directoryBytes = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  if (count === 0xffff || start === 0xffff_ffff) throw unsafe("zip", "is a zip64");
  if (count > limits.maxEntries || start + directoryBytes > size)
    throw unsafe("zip", "has a central directory that does not fit");
  const directory = await readAt(file, start, directoryBytes);
  const entries: ZipEntry[] = [];
  let total = 0;
  for (let at = 0; entries.length < count;) {
    if (at + CENTRAL_BYTES > directory.length || directory.readUInt32LE(at) !== 0x0201_4b50)
      throw unsafe("zip", "has a broken central directory");
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes);
    const method = directory.readUInt16LE(at + 10);
    const mode = directory.readUInt32LE(at + 38) >>> 16;
    if ((directory.readUInt16LE(at + 8) & 1) !== 0) throw unsafe(name, "is encrypted");
    if (method !== 0 && method !== 8) throw unsafe(name, `is packed by the unknown method ${method}`);
    if (
      directory.readUInt16LE(at + 4) >> 8 === 3 &&
      (mode & 0o170000) !== 0 &&
      (mode & 0o170000) !== 0o100000 &&
      (mode & 0o170000) !== 0o040000
    ) {
      throw unsafe(name, "is neither a file nor a directory");
    }
    const sizeBytes = directory.readUInt32LE(at + 24);
    total += sizeBytes;
    if (total > limits.maxTotalBytes) throw unsafe(name, `makes the archive larger than ${limits.maxTotalBytes} bytes`);
    entries.push({
      name,
      method,
      compressedBytes: directory.readUInt32LE(at + 20),
      sizeBytes,
      offset: directory.readUInt32LE(at + 42),
    });
    at += CENTRAL_BYTES + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  const files = entries.filter((entry) => !entry.name.endsWith("/"));
  assertSafeEntries(files.map((entry) => entry.name));
  return files;
}

async function* readParts(path: string, file: FileHandle, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const header = await readAt(file, entry.offset, LOCAL_BYTES);
  if (header.readUInt32LE(0) !== 0x0403_4b50) throw unsafe(entry.name, "has no local header");
  const start = entry.offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  let sizeBytes = 0;
  try {
    const parts =
      entry.sizeBytes > LARGE_BYTES
        ? unpacked({ path, offset: start, sizeBytes: entry.compressedBytes }, entry.method === 0 ? "none" : "deflate")
        : [unpackAtOnce(await readAt(file, start, entry.compressedBytes), entry)];
    for await (const part of parts) {
      if (!(part instanceof Uint8Array)) throw new TypeError("expected bytes");
      sizeBytes += part.length;
      if (sizeBytes > entry.sizeBytes) break;
      yield part;
    }
  } catch (error) {
    throw unsafe(entry.name, `cannot be unpacked to the ${entry.sizeBytes} bytes it says`, error);
  }
  if (sizeBytes !== entry.sizeBytes) throw unsafe(entry.name, "has another size than it says");
}

/** A stream for each of sixty thousand small files would cost more than the files. */
function unpackAtOnce(packed: Buffer, { method, sizeBytes }: ZipEntry): Buffer {
  return method === 0 ? packed : inflateRawSync(packed, { maxOutputLength: Math.max(sizeBytes, 1) });
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let got = 0;
  while (got < length) {
    const { bytesRead } = await file.read(buffer, got, length - got, position + got);
    if (bytesRead === 0) throw unsafe("zip", "ends too early");
    got += bytesRead;
  }
  return buffer;
}
