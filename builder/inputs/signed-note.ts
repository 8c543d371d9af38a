import { createHash, createPublicKey, verify } from "node:crypto";
import { TwinsealError } from "../errors.ts";

/** golang.org/x/mod/sumdb/note: a text, an empty line, and lines `— <name> <base64 of 4 bytes key hash and signature>`. */
export type NoteKey = { readonly name: string; readonly hash: Buffer; readonly publicKey: Buffer };

const ED25519 = 1;
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410

/** Parses `<name>+<hash>+<base64 key>` and checks the hash. */
export function parseNoteKey(text: string): NoteKey {
  const [name = "", hash = "", ...rest] = text.split("+");
  const key = Buffer.from(rest.join("+"), "base64");
  const computed = createHash("sha256").update(`${name}\n`).update(key).digest().subarray(0, 4);
  if (key.length !== 33 || key[0] !== ED25519 || computed.toString("hex") !== hash)
    throw new TypeError(`not a note key: ${name}`);
  return { name, hash: computed, publicKey: key.subarray(1) };
}

/** The text of a note that the key has signed; throws `alarm/NOTE_UNSIGNED` otherwise. */
export function verifyNote(note: string, key: NoteKey): string {
  const split = note.lastIndexOf("\n\n");
  const text = note.slice(0, split + 1);
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, key.publicKey]), format: "der", type: "spki" });
  const signed =
    split > 0 &&
    note
      .slice(split + 2)
      .split("\n")
      .some((line) => {
        const parts = /^\u2014 (\S+) (\S+)$/.exec(line);
        if (parts === null || parts[1] !== key.name) return false;
        const bytes = Buffer.from(parts[2] ?? "", "base64");
        return (
          bytes.length === 68 &&
          bytes.subarray(0, 4).equals(key.hash) &&
          verify(null, Buffer.from(text), publicKey, bytes.subarray(4))
        );
      });
  if (!signed) {
    throw new TwinsealError("alarm", "NOTE_UNSIGNED", `a tree head of ${key.name} has no valid signature`, {
      hint: "whoever serves the checksum database answers with something else: do not trust this network",
    });
  }
  return text;
}
