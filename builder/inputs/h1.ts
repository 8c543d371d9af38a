import { createHash } from "node:crypto";
import { openZip } from "./zip.ts";
import { h1Schema, type H1, type Sha256 } from "../digest.ts";

export type NamedDigest = { readonly name: string; readonly sha256: Sha256 | string };

/** `Hash1` of golang.org/x/mod/sumdb/dirhash: SHA-256 over `<hex>  <name>\n` lines sorted by name's bytes. */
export function h1Of(files: readonly NamedDigest[]): H1 {
  const hash = createHash("sha256");
  for (const { name, sha256 } of files.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))) {
    if (name.includes("\n")) throw new TypeError("a file name with a line feed has no h1");
    hash.update(`${sha256}  ${name}\n`);
  }
  return h1Schema.parse(`h1:${hash.digest("base64")}`);
}

/** The h1 of a module's zip. */
export async function zipH1(path: string): Promise<H1> {
  await using zip = await openZip(path);
  const digests: NamedDigest[] = [];
  for (const entry of zip.entries) {
    const hash = createHash("sha256");
    for await (const part of zip.parts(entry)) hash.update(part);
    digests.push({ name: entry.name, sha256: hash.digest("hex") });
  }
  return h1Of(digests);
}

/** The h1 of a go.mod file alone: a directory with the one file `go.mod`. */
export function goModH1(bytes: Uint8Array): H1 {
  return h1Of([{ name: "go.mod", sha256: createHash("sha256").update(bytes).digest("hex") }]);
}
