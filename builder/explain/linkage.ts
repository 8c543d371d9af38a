import { open, type FileHandle } from "node:fs/promises";
import { platformOfHead } from "./executable.ts";
import { cString, readAt } from "./sections.ts";

/** What an ELF program asks of the machine that starts it; nothing where it is static. */
export type Linkage = {
  /** DT_NEEDED, sorted; with it what else the loader would load, each with the name of its kind. */
  readonly needed: readonly string[];
  /** DT_RUNPATH, or the older DT_RPATH. */
  readonly runpath?: string;
  /** The newest `GLIBC_x.y` that a symbol wants: no older C library starts it. */
  readonly glibc?: string;
};

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT = { needed: 1, strtab: 5, strsz: 10, rpath: 15, runpath: 29, verneed: 0x6fff_fffe, verneednum: 0x6fff_ffff };
/** Other ways to have a library loaded, which no ordinary program uses (Solaris and GNU extensions of the dynamic section). */
const otherLoads = new Map([
  [0x6fff_fefa, "DT_CONFIG"],
  [0x6fff_fefb, "DT_DEPAUDIT"],
  [0x6fff_fefc, "DT_AUDIT"],
  [0x7fff_fffd, "DT_AUXILIARY"],
  [0x7fff_ffff, "DT_FILTER"],
]);
const loaders = /^\/lib(64)?\/ld-(linux-x86-64\.so\.2|linux-aarch64\.so\.1|musl-(x86_64|aarch64)\.so\.1)$/;
const MAX_ENTRIES = 10_000;

/**
 * Reads the dynamic section of a 64 bit ELF file (System V ABI, chapter 5; symbol versions as in the LSB). Undefined for
 * what is no such file. Throws RangeError for headers that point out of it: whoever asks takes that for a fault.
 */
export async function readLinkage(path: string): Promise<Linkage | undefined> {
  const file = await open(path, "r");
  try {
    const head = await readAt(file, 0, 4096);
    if (platformOfHead(head)?.format !== "elf") return undefined;
    const segments = await readSegments(file, head);
    const interpreters = await readInterpreters(file, segments);
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
    if (dynamic === undefined) return { needed: interpreters };
    const table = await readAt(file, dynamic.offset, dynamic.sizeBytes);
    const linkage = await readDynamic(file, entriesOf(table), segments);
    return { ...linkage, needed: [...linkage.needed, ...interpreters].toSorted() };
  } finally {
    await file.close();
  }
}

type Segment = {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly sizeBytes: number;
};

async function readSegments(file: FileHandle, head: Buffer): Promise<readonly Segment[]> {
  const count = head.readUInt16LE(56);
  const table = await readAt(file, Number(head.readBigUInt64LE(32)), count * 56);
  return Array.from({ length: count }, (_, index) => index * 56).map((at) => ({
    type: table.readUInt32LE(at),
    offset: Number(table.readBigUInt64LE(at + 8)),
    address: Number(table.readBigUInt64LE(at + 16)),
    sizeBytes: Number(table.readBigUInt64LE(at + 32)),
  }));
}

/** Programs that the kernel would start instead, but for the loaders that everybody has. */
async function readInterpreters(file: FileHandle, segments: readonly Segment[]): Promise<string[]> {
  const found: string[] = [];
  for (const { type, offset, sizeBytes } of segments) {
    if (type !== PT_INTERP) continue;
    const path = cString(await readAt(file, offset, Math.min(sizeBytes, 4096)), 0, 4096);
    if (!loaders.test(path)) found.push(`${path} (PT_INTERP)`);
  }
  return found;
}

type Entry = { readonly tag: number; readonly value: number };

function entriesOf(table: Buffer): readonly Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + 16 <= table.length; at += 16) {
    const tag = Number(table.readBigUInt64LE(at));
    if (tag === 0) break;
    entries.push({ tag, value: Number(table.readBigUInt64LE(at + 8)) });
  }
  return entries;
}

async function readDynamic(
  file: FileHandle,
  entries: readonly Entry[],
  segments: readonly Segment[],
): Promise<Linkage> {
  const valueOf = (tag: number) => entries.find((entry) => entry.tag === tag)?.value;
  const strtab = valueOf(DT.strtab);
  if (strtab === undefined) return { needed: [] };
  const names = await readAt(file, offsetOf(strtab, segments), valueOf(DT.strsz) ?? 0);
  const needed = entries.flatMap(({ tag, value }) => {
    const kind = tag === DT.needed ? "" : otherLoads.get(tag);
    if (kind === undefined) return [];
    return [`${cString(names, value, 4096)}${kind === "" ? "" : ` (${kind})`}`];
  });
  const runpath = valueOf(DT.runpath) ?? valueOf(DT.rpath);
  const verneed = valueOf(DT.verneed);
  const versions =
    verneed === undefined
      ? []
      : await readVersions(file, offsetOf(verneed, segments), valueOf(DT.verneednum) ?? 0, names);
  const glibc = newest(versions.flatMap((name) => /^GLIBC_(\d+(?:\.\d+)+)$/.exec(name)?.[1] ?? []));
  return {
    needed: needed.toSorted(),
    ...(runpath === undefined ? {} : { runpath: cString(names, runpath, 4096) }),
    ...(glibc === undefined ? {} : { glibc }),
  };
}

function offsetOf(address: number, segments: readonly Segment[]): number {
  const segment = segments.find(
    (one) => one.type === PT_LOAD && one.address <= address && address < one.address + one.sizeBytes,
  );
  if (segment === undefined) throw new RangeError("an address lies in no segment");
  return segment.offset + address - segment.address;
}

/** Names of all versions that symbols want of other libraries: Elf64_Verneed (16 bytes) with its Elf64_Vernaux (16 bytes). */
async function readVersions(file: FileHandle, offset: number, count: number, names: Buffer): Promise<string[]> {
  const found: string[] = [];
  for (let at = offset, left = Math.min(count, MAX_ENTRIES); left > 0; left--) {
    const need = await readAt(file, at, 16);
    let aux = at + need.readUInt32LE(8);
    for (let more = need.readUInt16LE(2); more > 0; more--) {
      const entry = await readAt(file, aux, 16);
      found.push(cString(names, entry.readUInt32LE(8), 256));
      aux += entry.readUInt32LE(12);
    }
    at += need.readUInt32LE(12);
  }
  return found;
}

function newest(versions: readonly string[]): string | undefined {
  return versions.toSorted(compareDotted).at(-1);
}

/** Orders `2.9` before `2.34`. */
export function compareDotted(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
