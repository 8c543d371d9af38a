import { createReadStream, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Readable } from "node:stream";
import { TwinsealError, messageOf } from "../errors.ts";
import { createTarReader, type TarEntry } from "./tar-stream.ts";

/** Files by name, in a directory or in a tar of it. Nothing that it says is believed: what is read is digested. */
export type ImageArchive = {
  /** Undefined where nothing is, or an empty file. */
  readonly sizeOf: (name: string) => number | undefined;
  /** Of a name that has a size. */
  readonly open: (name: string) => Readable;
};

const CHUNK_BYTES = 1 << 18;
const MAX_ENTRIES = 100_000;
const MAX_LINKS = 8;

/** Reads a tar once, to know where its files lie. Throws `caller/IMAGE_FILE_UNFIT`, as `sizeOf` does. */
export async function openImageArchive(path: string): Promise<ImageArchive> {
  try {
    return statSync(path).isDirectory() ? openDirectory(path) : await openTar(path);
  } catch (error) {
    throw unfit(path, error);
  }
}

function unfit(path: string, error: unknown): TwinsealError {
  return new TwinsealError("caller", "IMAGE_FILE_UNFIT", `reading the image from ${path}: ${messageOf(error)}`, {
    hint: "name an OCI layout (a directory or its tar), or what docker save wrote, not packed",
    cause: error,
  });
}

function openDirectory(path: string): ImageArchive {
  return {
    sizeOf: (name) => {
      try {
        const found = statSync(join(path, name), { throwIfNoEntry: false });
        return found?.isFile() === true && found.size > 0 ? found.size : undefined;
      } catch (error) {
        throw unfit(path, error);
      }
    },
    open: (name) => createReadStream(join(path, name), { highWaterMark: CHUNK_BYTES }),
  };
}

async function openTar(path: string): Promise<ImageArchive> {
  const entries = new Map<string, TarEntry>();
  const reader = createTarReader((entry) => {
    if (entries.size >= MAX_ENTRIES) throw new Error(`it has more than ${MAX_ENTRIES} files`);
    entries.set(posix.normalize(entry.name), entry);
    return undefined;
  });
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("expected bytes");
    reader.write(chunk);
  }
  reader.end();
  /** Older versions of docker save write a layer once, and links to it. */
  const find = (name: string): TarEntry | undefined => {
    let entry = entries.get(posix.normalize(name));
    for (let links = 0; entry?.kind === "symlink" && links < MAX_LINKS; links++)
      entry = entries.get(posix.join(posix.dirname(entry.name), entry.target));
    return entry?.kind === "file" && entry.sizeBytes > 0 ? entry : undefined;
  };
  return {
    sizeOf: (name) => find(name)?.sizeBytes,
    open: (name) => {
      const { offset, sizeBytes } = find(name) ?? { offset: 0, sizeBytes: 0 };
      return createReadStream(path, { start: offset, end: offset + sizeBytes - 1, highWaterMark: CHUNK_BYTES });
    },
  };
}
