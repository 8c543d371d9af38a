import { open, type FileHandle } from "node:fs/promises";
import { platformOfHead } from "./executable.ts";

/** A named part of an executable's file: offsets and sizes in bytes; where it lies in memory, if the format says so. */
export type Section = {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly address: number;
};

const MAX_SECTIONS = 1000;
const MAX_TABLE_BYTES = 64 << 20;

/** Sections of an ELF, Mach-O or PE file, sorted by offset; none for what does not parse. Headers are not trusted. */
export async function readSections(path: string): Promise<readonly Section[]> {
  const file = await open(path, "r");
  try {
    const head = await readAt(file, 0, 4096);
    const format = platformOfHead(head)?.format;
    const sections =
      format === "elf"
        ? await elf(file, head)
        : format === "mach-o"
          ? await machO(file, head)
          : format === "pe"
            ? await pe(file, head)
            : [];
    const { size } = await file.stat();
    return sections
      .filter(({ offset, sizeBytes }) => sizeBytes > 0 && offset + sizeBytes <= size)
      .toSorted((a, b) => a.offset - b.offset);
  } catch (error) {
    if (error instanceof RangeError) return []; // a table that points out of the file
    throw error;
  } finally {
    await file.close();
  }
}

export function sectionAt(sections: readonly Section[], offset: number): Section | undefined {
  return sections.find((section) => section.offset <= offset && offset < section.offset + section.sizeBytes);
}

export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (length > MAX_TABLE_BYTES || !Number.isSafeInteger(position)) throw new RangeError("the table is too large");
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** System V ABI, 64 bit little endian: section headers of 64 bytes. */
async function elf(file: FileHandle, head: Buffer): Promise<Section[]> {
  const start = Number(head.readBigUInt64LE(40));
  const count = Math.min(head.readUInt16LE(60), MAX_SECTIONS);
  const table = await readAt(file, start, count * 64);
  const nameTable = head.readUInt16LE(62) * 64;
  const names = await readAt(
    file,
    Number(table.readBigUInt64LE(nameTable + 24)),
    Math.min(Number(table.readBigUInt64LE(nameTable + 32)), MAX_TABLE_BYTES),
  );
  const NOBITS = 8;
  return Array.from({ length: count }, (_, index) => index * 64)
    .filter((at) => table.readUInt32LE(at + 4) !== NOBITS)
    .map((at) => ({
      name: cString(names, table.readUInt32LE(at)),
      address: Number(table.readBigUInt64LE(at + 16)),
      offset: Number(table.readBigUInt64LE(at + 24)),
      sizeBytes: Number(table.readBigUInt64LE(at + 32)),
    }));
}

/** Mach-O 64 bit: LC_SEGMENT_64 commands with sections of 80 bytes, and the rest of __LINKEDIT as one. */
async function machO(file: FileHandle, head: Buffer): Promise<Section[]> {
  const commands = await readAt(file, 32, Math.min(head.readUInt32LE(20), MAX_TABLE_BYTES));
  const sections: Section[] = [];
  for (let at = 0, left = Math.min(head.readUInt32LE(16), MAX_SECTIONS); left > 0; left--) {
    const sizeBytes = commands.readUInt32LE(at + 4);
    if (commands.readUInt32LE(at) === 0x19) {
      const count = Math.min(commands.readUInt32LE(at + 64), MAX_SECTIONS);
      if (count === 0)
        sections.push({
          name: cString(commands, at + 8, 16),
          address: Number(commands.readBigUInt64LE(at + 24)),
          offset: Number(commands.readBigUInt64LE(at + 40)),
          sizeBytes: Number(commands.readBigUInt64LE(at + 48)),
        });
      for (let index = 0; index < count; index++) {
        const section = at + 72 + index * 80;
        sections.push({
          name: cString(commands, section, 16),
          address: Number(commands.readBigUInt64LE(section + 32)),
          offset: commands.readUInt32LE(section + 48),
          sizeBytes: Number(commands.readBigUInt64LE(section + 40)),
        });
      }
    }
    if (sizeBytes < 8) break;
    at += sizeBytes;
  }
  return sections;
}

/** PE/COFF: section headers of 40 bytes behind the optional header. */
async function pe(file: FileHandle, head: Buffer): Promise<Section[]> {
  const at = head.readUInt32LE(60);
  const count = Math.min(head.readUInt16LE(at + 6), MAX_SECTIONS);
  const table = await readAt(file, at + 24 + head.readUInt16LE(at + 20), count * 40);
  return Array.from({ length: count }, (_, index) => index * 40).map((row) => ({
    name: cString(table, row, 8),
    address: table.readUInt32LE(row + 12),
    offset: table.readUInt32LE(row + 20),
    sizeBytes: table.readUInt32LE(row + 16),
  }));
}

export function cString(from: Buffer, start: number, max = 256): string {
  const end = Math.min(from.length, start + max);
  const zero = from.indexOf(0, start);
  return from.toString("latin1", start, zero >= 0 && zero < end ? zero : end);
}
