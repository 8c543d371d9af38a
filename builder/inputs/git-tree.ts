import { createHash } from "node:crypto";
import { lstat, readFile, readdir, readlink } from "node:fs/promises";
import { TwinsealError } from "../errors.ts";

/** Git's object formats, by the length of their hex ids. */
const algorithms: Readonly<Record<number, string>> = { 40: "sha1", 64: "sha256" };

/**
 * Object id of the tree that a directory is, computed here and not by git: header `tree <size>\0`, then for each entry
 * `<mode> <name>\0<binary id>`, directories sorted as if their names ended in a slash (git's object format). Empty
 * directories do not exist for git. `like` is an id of the wanted format.
 */
export async function treeOidOf(dir: string, like: string): Promise<string> {
  const algorithm = algorithms[like.length];
  if (algorithm === undefined) throw new TwinsealError("caller", "OID_INVALID", `${like} is no git object id`);
  return (await hashTree(Buffer.from(dir), algorithm)).toString("hex");
}

type Entry = { readonly mode: string; readonly name: Buffer; readonly oid: Buffer };

async function hashTree(dir: Buffer, algorithm: string): Promise<Buffer> {
  const entries: Entry[] = [];
  for (const name of await readdir(dir, { encoding: "buffer" })) {
    entries.push({ name, ...(await hashEntry(Buffer.concat([dir, Buffer.from("/"), name]), algorithm)) });
  }
  entries.sort((a, b) => Buffer.compare(sortName(a), sortName(b)));
  return hashObject(
    "tree",
    Buffer.concat(entries.flatMap(({ mode, name, oid }) => [Buffer.from(`${mode} `), name, Buffer.from([0]), oid])),
    algorithm,
  );
}

async function hashEntry(path: Buffer, algorithm: string): Promise<Omit<Entry, "name">> {
  const stat = await lstat(path);
  if (stat.isDirectory()) return { mode: "40000", oid: await hashTree(path, algorithm) };
  if (stat.isSymbolicLink())
    return { mode: "120000", oid: hashObject("blob", await readlink(path, { encoding: "buffer" }), algorithm) };
  const mode = (stat.mode & 0o100) === 0 ? "100644" : "100755";
  return { mode, oid: hashObject("blob", await readFile(path), algorithm) };
}

function sortName({ mode, name }: Entry): Buffer {
  return mode === "40000" ? Buffer.concat([name, Buffer.from("/")]) : name;
}

function hashObject(kind: "tree" | "blob", content: Buffer, algorithm: string): Buffer {
  return createHash(algorithm).update(`${kind} ${content.length}\0`).update(content).digest();
}
