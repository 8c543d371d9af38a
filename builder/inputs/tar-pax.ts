import { unsafe } from "./archive-safety.ts";
import { textOf } from "./tar-header.ts";

/** What the next entry's header cannot hold. */
export type PaxFields = { readonly name?: string; readonly target?: string; readonly sizeBytes?: number };

/**
 * The records of a pax extended header (POSIX.1-2001, `<length> <key>=<value>\n`, the length in bytes and its own digits
 * included). A value may hold anything, line ends too. Extended attributes and times are passed over; a sparse file is
 * refused, since its body is not its content.
 */
export function parsePax(bytes: Buffer): PaxFields {
  let fields: PaxFields = {};
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(0x20, at);
    const digits = bytes.toString("latin1", at, Math.max(at, blank));
    const end = at + (/^[1-9]\d{0,6}$/.test(digits) ? Number(digits) : 0);
    const equals = bytes.indexOf(0x3d, blank);
    if (end <= equals || equals < 0 || end > bytes.length || bytes[end - 1] !== 0x0a)
      throw unsafe("tar", "has a broken pax record");
    const key = bytes.toString("latin1", blank + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key.startsWith("GNU.sparse.")) throw unsafe("tar", "has a sparse file");
    at = end;
    if (value.length === 0) continue; // takes a record back
    if (key === "path") fields = { ...fields, name: nameOf(value) };
    if (key === "linkpath") fields = { ...fields, target: nameOf(value) };
    if (key === "size") fields = { ...fields, sizeBytes: sizeOf(value) };
  }
  return fields;
}

function nameOf(value: Buffer): string {
  if (value.includes(0)) throw unsafe(value.toString("latin1"), "has a name with a zero byte");
  return textOf(value);
}

function sizeOf(value: Buffer): number {
  const text = value.toString("latin1");
  if (!/^\d{1,15}$/.test(text)) throw unsafe("tar", "has a size that is none");
  return Number(text);
}
