import { open, type FileHandle } from "node:fs/promises";
import { platformOfHead } from "./executable.ts";
import { cString, readAt, readSections, sectionAt } from "./sections.ts";

type SymbolTable = { readonly symbols: Buffer; readonly names: Buffer; readonly entry: "elf" | "mach-o" };

/**
 * Name of the symbol that a file offset belongs to, from the symbol table of an ELF or Mach-O file; undefined where it
 * was stripped, as releases mostly are, or does not parse. Nothing depends on it but what people read.
 */
export async function symbolAt(path: string, offset: number): Promise<string | undefined> {
  const section = sectionAt(await readSections(path), offset);
  if (section === undefined || section.address === 0) return undefined;
  const file = await open(path, "r");
  try {
    const table = await readTable(file);
    return table && nearest(table, section.address + offset - section.offset, section.address);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}

async function readTable(file: FileHandle): Promise<SymbolTable | undefined> {
  const head = await readAt(file, 0, 4096);
  switch (platformOfHead(head)?.format) {
    case "elf":
      return elfTable(file, head);
    case "mach-o":
      return machOTable(file, head);
    case "pe":
    case undefined:
      return undefined;
  }
}

/** The section of type SHT_SYMTAB and the string table that it links. */
async function elfTable(file: FileHandle, head: Buffer): Promise<SymbolTable | undefined> {
  const SYMTAB = 2;
  const count = head.readUInt16LE(60);
  const sections = await readAt(file, Number(head.readBigUInt64LE(40)), count * 64);
  const body = (at: number) =>
    readAt(file, Number(sections.readBigUInt64LE(at + 24)), Number(sections.readBigUInt64LE(at + 32)));
  for (let at = 0; at < count * 64; at += 64) {
    if (sections.readUInt32LE(at + 4) !== SYMTAB) continue;
    return { symbols: await body(at), names: await body(sections.readUInt32LE(at + 40) * 64), entry: "elf" };
  }
  return undefined;
}

/** Load command LC_SYMTAB: offset and count of nlist_64 entries, offset and size of the strings. */
async function machOTable(file: FileHandle, head: Buffer): Promise<SymbolTable | undefined> {
  const LC_SYMTAB = 2;
  const commands = await readAt(file, 32, head.readUInt32LE(20));
  for (let at = 0; at + 24 <= commands.length; at += Math.max(8, commands.readUInt32LE(at + 4))) {
    if (commands.readUInt32LE(at) !== LC_SYMTAB) continue;
    const symbols = await readAt(file, commands.readUInt32LE(at + 8), commands.readUInt32LE(at + 12) * 16);
    const names = await readAt(file, commands.readUInt32LE(at + 16), commands.readUInt32LE(at + 20));
    return { symbols, names, entry: "mach-o" };
  }
  return undefined;
}

/** The last symbol of the section that starts at or before the address. */
function nearest({ symbols, names, entry }: SymbolTable, address: number, from: number): string | undefined {
  const [bytes, valueAt] = entry === "elf" ? [24, 8] : [16, 8];
  let best: { readonly value: number; readonly name: number } | undefined;
  for (let at = 0; at + bytes <= symbols.length; at += bytes) {
    const value = Number(symbols.readBigUInt64LE(at + valueAt));
    if (value < from || value > address || value < (best?.value ?? 0)) continue;
    const name = symbols.readUInt32LE(at);
    if (name !== 0) best = { value, name };
  }
  return best && cString(names, best.name, 1024);
}
