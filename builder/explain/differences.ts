import { open, type FileHandle } from "node:fs/promises";
import { symbolAt } from "./symbols.ts";
import { readSections, sectionAt } from "./sections.ts";

/** A run of differing bytes: [start, end). */
export type ByteRange = { readonly start: number; readonly end: number };

export type ByteDifference = {
  readonly sizeBytes: { readonly a: number; readonly b: number };
  readonly firstOffset: number;
  readonly differingBytes: number;
  /** The first ranges; gaps of less than 16 equal bytes are closed. `rangeCount` counts all. */
  readonly ranges: readonly ByteRange[];
  readonly rangeCount: number;
  /** Differing bytes in each of 128 equal parts of the longer file, for a picture of where they are. */
  readonly density: readonly number[];
  readonly section: string | undefined;
  /** Of the first difference, in A. */
  readonly symbol: string | undefined;
  /** Printable text around the first difference, of both files. */
  readonly excerpt: { readonly a: string; readonly b: string };
  readonly sections: readonly {
    readonly name: string;
    readonly offset: number;
    readonly sizeBytes: number;
    readonly differingBytes: number;
  }[];
};

const CHUNK_BYTES = 1 << 20;
const MAX_RANGES = 64;
const DENSITY_PARTS = 128;
const CLOSE_GAP = 16;
const EXCERPT_BYTES = 160;

/** Where two files differ, or undefined when they do not; streamed, a few MiB of memory. */
export async function diffFiles(a: string, b: string): Promise<ByteDifference | undefined> {
  await using files = await openBoth(a, b);
  const sizes = { a: (await files.a.stat()).size, b: (await files.b.stat()).size };
  const sections = await readSections(a);
  const density = Array.from({ length: DENSITY_PARTS }, () => 0);
  const partOf = (offset: number) => Math.floor((offset * DENSITY_PARTS) / Math.max(sizes.a, sizes.b));
  const perSection = new Map<string, number>();
  const ranges: { start: number; end: number }[] = [];
  let rangeCount = 0;
  let differingBytes = Math.abs(sizes.a - sizes.b);
  let firstOffset = -1;
  let last: { start: number; end: number } | undefined;
  const note = (offset: number) => {
    if (firstOffset < 0) firstOffset = offset;
    density[partOf(offset)] = (density[partOf(offset)] ?? 0) + 1;
    const section = sectionAt(sections, offset)?.name ?? "";
    perSection.set(section, (perSection.get(section) ?? 0) + 1);
    if (last !== undefined && offset - last.end < CLOSE_GAP) last.end = offset + 1;
    else {
      last = { start: offset, end: offset + 1 };
      rangeCount++;
      if (ranges.length < MAX_RANGES) ranges.push(last);
    }
  };
  const common = Math.min(sizes.a, sizes.b);
  for (let at = 0; at < common; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, common - at);
    const [left, right] = await Promise.all([read(files.a, at, length), read(files.b, at, length)]);
    if (left.equals(right)) continue;
    for (let index = 0; index < length; index++) {
      if (left[index] === right[index]) continue;
      differingBytes++;
      note(at + index);
    }
  }
  if (sizes.a !== sizes.b) {
    if (firstOffset < 0) firstOffset = common;
    rangeCount++;
    for (let part = partOf(common); part < DENSITY_PARTS; part++) density[part] = Math.max(1, density[part] ?? 0);
    if (ranges.length < MAX_RANGES) ranges.push({ start: common, end: Math.max(sizes.a, sizes.b) });
  }
  if (differingBytes === 0) return undefined;
  return {
    sizeBytes: sizes,
    firstOffset,
    differingBytes,
    ranges,
    rangeCount,
    density,
    section: sectionAt(sections, firstOffset)?.name,
    symbol: await symbolAt(a, firstOffset),
    excerpt: { a: await excerpt(files.a, firstOffset), b: await excerpt(files.b, firstOffset) },
    sections: sections.map(({ name, offset, sizeBytes }) => ({
      name,
      offset,
      sizeBytes,
      differingBytes: perSection.get(name) ?? 0,
    })),
  };
}

async function openBoth(a: string, b: string): Promise<AsyncDisposable & { a: FileHandle; b: FileHandle }> {
  const first = await open(a, "r");
  const second = await open(b, "r");
  return {
    a: first,
    b: second,
    [Symbol.asyncDispose]: async () => {
      await first.close();
      await second.close();
    },
  };
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let got = 0;
  while (got < length) {
    const { bytesRead } = await file.read(buffer, got, length - got, position + got);
    if (bytesRead === 0) throw new RangeError("the file became shorter while it was read");
    got += bytesRead;
  }
  return buffer;
}

async function excerpt(file: FileHandle, around: number): Promise<string> {
  const start = Math.max(0, around - EXCERPT_BYTES / 4);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(EXCERPT_BYTES), 0, EXCERPT_BYTES, start);
  return buffer.toString("latin1", 0, bytesRead).replace(/[^\x20-\x7e]/g, "\u00b7");
}
