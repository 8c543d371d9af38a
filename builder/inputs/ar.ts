import { open } from "node:fs/promises";
import { unsafe } from "./archive-safety.ts";

/** One member of an ar archive: its bytes are those of the file from `offset` on. */
export type ArMember = { readonly name: string; readonly offset: number; readonly sizeBytes: number };

const MAGIC = "!<arch>\n";
const HEADER_BYTES = 60;
/** A Debian package has three. */
const MAX_MEMBERS = 16;

/**
 * Members of an ar archive in the common form of ar(5) and deb(5): 60 bytes of header (name at 0, decimal size at 48, two
 * closing bytes), the bytes, one byte more where they are odd. Throws `alarm/ARCHIVE_UNSAFE`.
 */
export async function readArMembers(path: string): Promise<readonly ArMember[]> {
  await using file = await open(path, "r");
  const totalBytes = (await file.stat()).size;
  const read = async (offset: number, sizeBytes: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset);
    return buffer.subarray(0, bytesRead).toString("latin1");
  };
  if ((await read(0, MAGIC.length)) !== MAGIC) throw unsafe("ar", "is not an ar archive");
  const members: ArMember[] = [];
  for (let at = MAGIC.length; at < totalBytes;) {
    const header = await read(at, HEADER_BYTES);
    const name = header.slice(0, 16).trimEnd().replace(/\/$/, "");
    const size = header.slice(48, 58).trimEnd();
    const offset = at + HEADER_BYTES;
    if (!header.endsWith("`\n") || header.length < HEADER_BYTES || !/^\d{1,10}$/.test(size))
      throw unsafe(name, "has a header that is not ar's");
    const sizeBytes = Number(size);
    if (offset + sizeBytes > totalBytes) throw unsafe(name, "ends before its stated size");
    if (members.length === MAX_MEMBERS) throw unsafe(name, `is one of more than ${MAX_MEMBERS} members`);
    members.push({ name, offset, sizeBytes });
    at = offset + sizeBytes + (sizeBytes % 2);
  }
  return members;
}
