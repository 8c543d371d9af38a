import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { h1Schema, type H1 } from "../digest.ts";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import type { Http } from "../http.ts";
import { escapeModulePath } from "./go-proxy.ts";
import { parseNoteKey, verifyNote, type NoteKey } from "./signed-note.ts";
import { consistentRoots, leafHash, rootWithLeaf, tilePath, type ReadTile, type TreeHead } from "./transparency-log.ts";

/** The key that the go command has built in (cmd/go/internal/modfetch/key.go). */
export const CHECKSUM_DATABASE_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

export type ChecksumDatabase = {
  /** The proven hashes of a module's zip and of its go.mod. */
  readonly lookup: (path: string, version: string) => Promise<{ readonly h1: H1; readonly goModH1: H1 }>;
  readonly treeHead: () => { readonly name: string; readonly treeSize: number; readonly rootHash: string };
};

export type ChecksumDatabaseDeps = {
  readonly http: Http;
  /** Where the database is served, tried in this order; none of them is trusted. */
  readonly bases: readonly string[];
  /** Directory in which the newest tree head is remembered. */
  readonly stateDir: string;
  readonly key?: string;
};

const MAX_ANSWER_BYTES = 1 << 20;
const TRIES = 3;

/**
 * Opens the Go checksum database: reads its signed tree head, proves that the remembered one is a prefix of it, and
 * remembers the newer. Throws `alarm/LOG_SHRANK` or `alarm/LOG_FORKED`.
 */
export async function openChecksumDatabase(deps: ChecksumDatabaseDeps): Promise<ChecksumDatabase> {
  const key = parseNoteKey(deps.key ?? CHECKSUM_DATABASE_KEY);
  const read = createTileReader(deps);
  const remembered = await readRemembered(deps.stateDir, key);
  const latest = parseHead(verifyNote(await answer(deps, "latest"), key), key);
  if (remembered !== undefined && latest.size < remembered.size) {
    throw new TwinsealError(
      "alarm",
      "LOG_SHRANK",
      `${key.name} shows ${latest.size} records; it had ${remembered.size} when last seen`,
      {
        hint: "an old or another log is being served: do not trust this network",
      },
    );
  }
  let head = latest;
  if (remembered !== undefined) await assertPrefix(read, remembered, latest, key);
  await remember(deps.stateDir, head, key);
  const extend = async (newer: TreeHead) => {
    if (newer.size <= head.size) return;
    await assertPrefix(read, head, newer, key);
    head = newer;
    await remember(deps.stateDir, head, key);
  };
  return {
    treeHead: () => ({ name: key.name, treeSize: head.size, rootHash: head.root.toString("base64") }),
    lookup: async (path, version) => {
      const text = await answer(deps, `lookup/${escapeModulePath(path)}@${escapeModulePath(version)}`);
      const { index, record, note } = splitLookup(text, path, version);
      const hashes = parseRecord(record, path, version);
      const own = parseHead(verifyNote(note, key), key);
      if (index >= head.size) await extend(own);
      const { size, root } = head;
      if (index >= size) throw broken(path, version, "is not in the tree yet");
      const computed = await rootWithLeaf(read, size, index, leafHash(Buffer.from(record)));
      if (!computed.equals(root)) throw broken(path, version, "is not in the signed tree");
      return hashes;
    },
  };
}

function broken(path: string, version: string, why: string): TwinsealError {
  return new TwinsealError(
    "alarm",
    "LOG_RECORD_UNPROVEN",
    `the checksum database's record of ${path} ${version} ${why}`,
    {
      hint: "whoever serves the checksum database answers with something else: do not trust this network",
    },
  );
}

async function assertPrefix(read: ReadTile, older: TreeHead, newer: TreeHead, key: NoteKey): Promise<void> {
  if (older.size === newer.size && older.root.equals(newer.root)) return;
  const roots = older.size === newer.size ? undefined : await consistentRoots(read, older.size, newer.size);
  if (roots !== undefined && roots.newer.equals(newer.root) && roots.older.equals(older.root)) return;
  throw new TwinsealError(
    "alarm",
    "LOG_FORKED",
    `${key.name} forked: the tree of ${newer.size} records does not contain the one of ${older.size} that was seen before`,
    {
      hint: "two histories of the log exist: keep both tree heads and report them",
    },
  );
}

/** `<index>\n<record>\n\n<signed note>`. */
function splitLookup(text: string, path: string, version: string): { index: number; record: string; note: string } {
  const match = /^(\d{1,15})\n((?:[^\n]+\n)+)\n([\s\S]+)$/.exec(text);
  if (match === null) throw broken(path, version, "does not parse");
  return { index: Number(match[1]), record: match[2] ?? "", note: match[3] ?? "" };
}

/** A proven record of another module would pass the proof: both lines must be about this module and version. */
function parseRecord(record: string, path: string, version: string): { h1: H1; goModH1: H1 } {
  const [zipLine, modLine, end, ...more] = record.split("\n");
  const zip = `${path} ${version} `;
  const mod = `${path} ${version}/go.mod `;
  if (zipLine?.startsWith(zip) !== true || modLine?.startsWith(mod) !== true || end !== "" || more.length > 0)
    throw broken(path, version, "is about something else");
  return { h1: h1Schema.parse(zipLine.slice(zip.length)), goModH1: h1Schema.parse(modLine.slice(mod.length)) };
}

/** `go.sum database tree\n<size>\n<base64 root>\n`. */
function parseHead(text: string, key: NoteKey): TreeHead {
  const [title, size, root] = text.split("\n");
  const bytes = Buffer.from(root ?? "", "base64");
  if (title !== "go.sum database tree" || !/^\d{1,15}$/.test(size ?? "") || bytes.length !== 32) {
    throw new TwinsealError("alarm", "LOG_HEAD_INVALID", `the tree head of ${key.name} does not parse`);
  }
  return { size: Number(size), root: bytes };
}

async function readRemembered(stateDir: string, key: NoteKey): Promise<TreeHead | undefined> {
  try {
    const { size, root } = JSON.parse(await readFile(statePath(stateDir, key), "utf8")) as {
      size: number;
      root: string;
    };
    return { size, root: Buffer.from(root, "base64") };
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw new TwinsealError(
      "alarm",
      "LOG_STATE_DAMAGED",
      `the remembered tree head of ${key.name} cannot be read: ${messageOf(error)}`,
      {
        cause: error,
        hint: `look at ${statePath(stateDir, key)}; removing it forgets what was seen`,
      },
    );
  }
}

async function remember(stateDir: string, head: TreeHead, key: NoteKey): Promise<void> {
  await mkdir(stateDir, { recursive: true });
  const path = statePath(stateDir, key);
  const temporary = `${path}.${process.pid}-${randomUUID()}`;
  await writeFile(temporary, `${JSON.stringify({ size: head.size, root: head.root.toString("base64") })}\n`, {
    flush: true,
  });
  await rename(temporary, path);
}

const statePath = (stateDir: string, key: NoteKey) => join(stateDir, `${key.name}.json`);

function createTileReader(deps: ChecksumDatabaseDeps): ReadTile {
  const tiles = new Map<string, Promise<Buffer>>();
  return (tile) => {
    const path = tilePath(tile);
    const known = tiles.get(path) ?? answerBytes(deps, path, tile.width * 32);
    tiles.set(path, known);
    return known;
  };
}

async function answer(deps: ChecksumDatabaseDeps, path: string): Promise<string> {
  return (await answerBytes(deps, path, MAX_ANSWER_BYTES)).toString("utf8");
}

async function answerBytes(deps: ChecksumDatabaseDeps, path: string, maxBytes: number): Promise<Buffer> {
  let last: unknown = new Error("no place to read it from is known");
  let absent = false;
  for (const base of deps.bases) {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      try {
        const { status, body } = await deps.http({ url: `${base}/${path}`, maxBytes, timeoutMs: 30_000 });
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        if (status === 200) return Buffer.concat(chunks);
        last = new Error(`the server answered ${status}`);
        absent ||= status === 404 || status === 410;
        if (status < 500) break;
      } catch (error) {
        last = error;
      }
    }
  }
  if (absent) {
    throw new TwinsealError(
      "world",
      "LOG_RECORD_ABSENT",
      `the checksum database, as it is served here, has no ${path}`,
      {
        hint: "set GOPROXY to a proxy that serves the whole checksum database",
      },
    );
  }
  throw new TwinsealError("world", "NETWORK", `reading ${path} from the checksum database: ${messageOf(last)}`, {
    cause: last,
    hint: "check the network; where the checksum database cannot be reached, set GOPROXY to a proxy that serves it",
  });
}
