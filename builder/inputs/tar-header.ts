import { unsafe } from "./archive-safety.ts";

/** Of a tar, in bytes. */
export const BLOCK = 512;

/** A header block as it stands there; `type` is its one letter. Names that others replace may be cut in a letter. */
export type TarHeader = {
  readonly type: string;
  readonly name: () => string;
  readonly target: () => string;
  readonly mode: number;
  readonly sizeBytes: number;
};

/** Throws `alarm/ARCHIVE_UNSAFE`. */
export function readHeader(block: Buffer): TarHeader {
  if (sumOf(block) !== numberAt(block, 148, 8)) throw unsafe("tar", "has a header with a wrong sum");
  // GNU's own magic has a blank where POSIX has a zero, and times where POSIX has the prefix.
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const name = () => {
    const prefix = isPosix ? textOf(block.subarray(345, 500)) : "";
    const own = textOf(block.subarray(0, 100));
    return prefix === "" ? own : `${prefix}/${own}`;
  };
  return {
    type: String.fromCharCode(block.readUInt8(156)),
    name,
    target: () => textOf(block.subarray(157, 257)),
    mode: numberAt(block, 100, 8),
    sizeBytes: numberAt(block, 124, 12),
  };
}

/** The sum's own field counts as blanks. */
function sumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Up to the first zero byte. Throws `alarm/ARCHIVE_UNSAFE` for what is not UTF-8. */
export function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  const own = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    return decoder.decode(own);
  } catch (error) {
    throw unsafe(own.toString("latin1"), "has a name that is not UTF-8", error);
  }
}

/** Octal digits, or a binary number where the first bit is set. */
function numberAt(block: Buffer, at: number, length: number): number {
  if ((block.readUInt8(at) & 0x80) !== 0) {
    let value = block.readUInt8(at) & 0x7f;
    for (let index = at + 1; index < at + length; index++) value = value * 256 + block.readUInt8(index);
    if (!Number.isSafeInteger(value)) throw unsafe("tar", "has a number out of range");
    return value;
  }
  const text = block
    .toString("latin1", at, at + length)
    .replace(/\0[^]*$/, "")
    .trim();
  if (!/^[0-7]*$/.test(text)) throw unsafe("tar", "has a header that is none");
  return text === "" ? 0 : Number.parseInt(text, 8);
}
