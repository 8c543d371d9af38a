import { createHash } from "node:crypto";
import { lstat, readFile, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";

/** Git's object formats, by the length of their hex ids. */
const algorithms: Readonly<Record<number, string>> = { 40: "sha1", 64: "sha256" };

/**
 * Object id of the tree that a directory is, computed here and not by git: header `tree <size>\0`, then for each entry
 * `<mode> <name>\0<binary id>`, directories sorted as if their names ended in a slash (git's object format). Empty
 * directories do not exist for git. `like` is an id of the wanted format; `submodules` are paths below the directory with
 * the commit that the tree names there, whatever lies in them.
 */
export async function treeOidOf(
  dir: string,
  like: string,
  submodules: ReadonlyMap<string, string> = new Map(),
): Promise<string> {
  const algorithm = algorithms[like.length];
  if (algorithm === undefined) throw new TwinsealError("caller", "OID_INVALID", `${like} is no git object id`);
  const commits = new Map([...submodules].map(([path, commit]) => [join(dir, path), commit]));
  return (await hashTree(Buffer.from(dir), algorithm, commits)).toString("hex");
}

/** By absolute path. */
type Commits = ReadonlyMap<string, string>;
type Entry = { readonly mode: string; readonly name: Buffer; readonly oid: Buffer };

async function hashTree(dir: Buffer, algorithm: string, commits: Commits): Promise<Buffer> {
  const entries: Entry[] = [];
  for (const name of await readdir(dir, { encoding: "buffer" })) {
    entries.push({ name, ...(await hashEntry(Buffer.concat([dir, Buffer.from("/"), name]), algorithm, commits)) });
  }
  entries.sort((a, b) => Buffer.compare(sortName(a), sortName(b)));
  return hashObject(
    "tree",
    Buffer.concat(entries.flatMap(({ mode, name, oid }) => [Buffer.from(`${mode} `), name, Buffer.from([0]), oid])),
    algorithm,
  );
}

async function hashEntry(path: Buffer, algorithm: string, commits: Commits): Promise<Omit<Entry, "name">> {
  const commit = commits.get(path.toString("utf8"));
  if (commit !== undefined) return { mode: "160000", oid: Buffer.from(commit, "hex") };
  const stat = await lstat(path);
  if (stat.isDirectory()) return { mode: "40000", oid: await hashTree(path, algorithm, commits) };
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
