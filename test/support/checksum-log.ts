import { createHash, generateKeyPairSync, sign } from "node:crypto";
import type { Http } from "../../builder/http.ts";

/** A checksum database of our own with its own key, that can be made to lie; what it serves has the real format. */
export type ChecksumLog = {
  readonly key: string;
  readonly http: Http;
  readonly base: string;
  readonly records: string[];
  /** Answers to give instead, by path. */
  readonly lies: Map<string, (honest: Buffer) => Buffer>;
  /** The tree shown by `latest` and by lookups; all records if absent. */
  shownSize: number | undefined;
};

const hash = (...parts: readonly (Buffer | string)[]) => {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part);
  return digest.digest();
};
const leaf = (record: string) => hash(Buffer.of(0), record);

function root(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return hash("");
  if (leaves.length === 1) return only;
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  return hash(Buffer.of(1), root(leaves.slice(0, half)), root(leaves.slice(half)));
}

export function recordOf(path: string, version: string, seed = "x"): string {
  const h1 = (name: string) => `h1:${hash(seed, name).toString("base64")}`;
  return `${path} ${version} ${h1("zip")}\n${path} ${version}/go.mod ${h1("mod")}\n`;
}

export function openChecksumLog(records: readonly string[], name = "log.example.test"): ChecksumLog {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.concat([Buffer.of(1), publicKey.export({ format: "der", type: "spki" }).subarray(-32)]);
  const id = hash(`${name}\n`, raw).subarray(0, 4);
  const log: ChecksumLog = {
    key: `${name}+${id.toString("hex")}+${raw.toString("base64")}`,
    base: "http://log.example.test",
    records: [...records],
    lies: new Map(),
    shownSize: undefined,
    http: async ({ url }) => {
      const path = url.slice("http://log.example.test/".length);
      const honest = answer(path);
      const bytes = honest === undefined ? undefined : (log.lies.get(path)?.(honest) ?? honest);
      return { status: bytes === undefined ? 404 : 200, body: chunks(bytes) };
    },
  };
  const head = () => {
    const shown = log.records.slice(0, log.shownSize).map(leaf);
    const text = `go.sum database tree\n${shown.length}\n${root(shown).toString("base64")}\n`;
    const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]).toString("base64");
    return `${text}\n\u2014 ${name} ${signature}\n`;
  };
  const answer = (path: string): Buffer | undefined => {
    if (path === "latest") return Buffer.from(head());
    const asked = /^lookup\/(.+)@(.+)$/.exec(path);
    if (asked !== null) {
      const index = log.records.findIndex((record) => record.startsWith(`${asked[1]} ${asked[2]} `));
      return index < 0 ? undefined : Buffer.from(`${index}\n${log.records[index]}\n${head()}`);
    }
    const tile = /^tile\/8\/(\d+)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path);
    if (tile === null) return undefined;
    const span = 256 ** Number(tile[1]);
    const index = Number((tile[2] ?? "").replace(/[x/]/g, ""));
    const hashes = Array.from({ length: Number(tile[3] ?? 256) }, (_, at) => {
      const start = (index * 256 + at) * span;
      return root(log.records.slice(start, start + span).map(leaf));
    });
    return Buffer.concat(hashes);
  };
  return log;
}

async function* chunks(bytes: Buffer | undefined): AsyncGenerator<Uint8Array> {
  if (bytes !== undefined) yield await Promise.resolve(bytes);
}
