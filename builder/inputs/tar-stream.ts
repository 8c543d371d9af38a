import { unsafe } from "./archive-safety.ts";
import { BLOCK, readHeader, textOf } from "./tar-header.ts";
import { parsePax, type PaxFields } from "./tar-pax.ts";

/**
 * Reader of a tar as it streams by (POSIX.1-2001 pax, ustar and GNU's long names), as the layers of images are. Ours,
 * since it must read names and pax records byte for byte as Go's archive/tar does, with which images are made, refuse
 * what it does not know instead of passing over it, and tell where a body lies.
 */
export type TarEntry = {
  /** As archived. */
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink" | "hardlink" | "device" | "fifo";
  /** Where a link points. */
  readonly target: string;
  readonly mode: number;
  readonly sizeBytes: number;
  /** Of the body, from the archive's first byte. */
  readonly offset: number;
};
/** Receives a body; the chunks are only lent. */
export type TarBody = { readonly write: (chunk: Buffer) => void; readonly end: () => void };
export type TarReader = { readonly write: (chunk: Buffer) => void; readonly end: () => void };

const zeros = Buffer.alloc(BLOCK);
const MAX_EXTENSION_BYTES = 1 << 20;

const kinds: Readonly<Record<string, TarEntry["kind"]>> = {
  "0": "file",
  "\0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "device",
  "4": "device",
  "5": "directory",
  "6": "fifo",
};

/** Calls `onEntry` for each entry in order, then hands its body to what that returned. Throws `alarm/ARCHIVE_UNSAFE`. */
export function createTarReader(onEntry: (entry: TarEntry) => TarBody | undefined): TarReader {
  let offset = 0;
  let held: Buffer = Buffer.alloc(0);
  let body: { remaining: number; padding: number; readonly to: TarBody | undefined } | undefined;
  let extensions: PaxFields = {};
  let zeroBlocks = 0;

  const startBody = (sizeBytes: number, to: TarBody | undefined) => {
    body = { remaining: sizeBytes, padding: (BLOCK - (sizeBytes % BLOCK)) % BLOCK, to };
    if (sizeBytes === 0) endBody();
  };
  const endBody = () => {
    body?.to?.end();
    if (body?.padding === 0) body = undefined;
  };
  const takeBody = (chunk: Buffer): number => {
    if (body === undefined) return 0;
    const taken = Math.min(chunk.length, body.remaining === 0 ? body.padding : body.remaining);
    if (body.remaining === 0) {
      body.padding -= taken;
      if (body.padding === 0) body = undefined;
      return taken;
    }
    body.to?.write(chunk.subarray(0, taken));
    body.remaining -= taken;
    if (body.remaining === 0) endBody();
    return taken;
  };

  const takeHeader = (block: Buffer) => {
    if (block.equals(zeros)) {
      zeroBlocks++;
      return;
    }
    if (zeroBlocks > 0) throw unsafe("tar", "goes on after a block of zeros");
    const header = readHeader(block);
    const { type } = header;
    if (type === "x" || type === "L" || type === "K") {
      startBody(
        header.sizeBytes,
        collect(header.sizeBytes, (bytes) => {
          const text = type === "x" ? parsePax(bytes) : { [type === "L" ? "name" : "target"]: textOf(bytes) };
          extensions = { ...extensions, ...text };
        }),
      );
      return;
    }
    if (type === "g") return startBody(header.sizeBytes, undefined); // of the whole archive: nothing that is read here
    const name = extensions.name ?? header.name();
    const sizeBytes = extensions.sizeBytes ?? header.sizeBytes;
    const target = extensions.target ?? header.target();
    extensions = {};
    const kind = name.endsWith("/") && type === "\0" ? "directory" : kinds[type];
    if (kind === undefined) throw unsafe(name, `is of the unknown kind ${JSON.stringify(type)}`);
    const own = kind === "file" ? sizeBytes : 0; // the size of all else says nothing
    startBody(own, onEntry({ name, kind, target, mode: header.mode, sizeBytes: own, offset: offset + BLOCK }));
  };

  return {
    write: (chunk) => {
      for (let at = 0; at < chunk.length;) {
        if (zeroBlocks >= 2) return; // the end; what follows is padding
        if (body !== undefined) {
          const taken = takeBody(chunk.subarray(at));
          at += taken;
          offset += taken;
          continue;
        }
        const missing = BLOCK - held.length;
        const part = chunk.subarray(at, at + missing);
        at += part.length;
        held = held.length === 0 ? part : Buffer.concat([held, part]);
        if (held.length < BLOCK) {
          held = Buffer.from(held);
          return;
        }
        const block = held;
        held = Buffer.alloc(0);
        takeHeader(block);
        offset += BLOCK;
      }
    },
    end: () => {
      if (body !== undefined || held.length > 0 || Object.keys(extensions).length > 0)
        throw unsafe("tar", "is cut off");
    },
  };
}

function collect(sizeBytes: number, take: (bytes: Buffer) => void): TarBody {
  if (sizeBytes > MAX_EXTENSION_BYTES) throw unsafe("tar", "has an extension of more than 1 MiB");
  const chunks: Buffer[] = [];
  return { write: (chunk) => chunks.push(Buffer.from(chunk)), end: () => take(Buffer.concat(chunks)) };
}
