import { open, readFile, stat } from "node:fs/promises";
import { digestFile, sha256Schema, type Sha256 } from "./digest.ts";
import { TwinsealError, messageOf } from "./errors.ts";
import type { Artifact } from "./run.ts";

/** What a published release says: one digest, or one for each file name. */
export type Against =
  | { readonly kind: "digest"; readonly sha256: Sha256 }
  | { readonly kind: "sums"; readonly sums: ReadonlyMap<string, Sha256> };

export type AgainstResult = {
  readonly equal: boolean;
  readonly artifact: string;
  readonly published: string | undefined;
  /** Absent where the two builds do not agree: then there is nothing to compare. */
  readonly built: string | undefined;
};

const MAX_SUMS_BYTES = 4 << 20;

/** `sha256:<hex>`, a SHA256SUMS file, or a published file itself. Throws `caller/AGAINST_INVALID`. */
export async function loadAgainst(path: string, text: string): Promise<Against> {
  if (text.startsWith("sha256:")) {
    const sha256 = sha256Schema.safeParse(text.slice(7).toLowerCase());
    if (!sha256.success) throw invalid(`${text} is not a sha256`, "write sha256: and 64 hex digits");
    return { kind: "digest", sha256: sha256.data };
  }
  const found = await stat(path).catch((error: unknown) => {
    throw invalid(
      `reading ${text}: ${messageOf(error)}`,
      "name a published file, a SHA256SUMS file or sha256:<digest>",
      error,
    );
  });
  if (!found.isFile())
    throw invalid(`${text} is not a file`, "name a published file, a SHA256SUMS file or sha256:<digest>");
  if (await isList(path, found.size)) return { kind: "sums", sums: parseSums(await readFile(path, "utf8"), text) };
  return { kind: "digest", sha256: (await digestFile(path)).sha256 };
}

/** A list of digests is known by its first line, whatever its name; a program never begins like that. */
async function isList(path: string, sizeBytes: number): Promise<boolean> {
  if (sizeBytes > MAX_SUMS_BYTES) return false;
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(66), 0, 66, 0);
  return /^[0-9a-f]{64}(?:[ \t]|\r?\n|$)/i.test(buffer.toString("latin1", 0, bytesRead));
}

/** Throws `caller/AGAINST_INVALID` for a list that names none of the artifacts: nothing could be compared with it. */
export function assertNamed(against: Against, names: readonly string[], text: string): void {
  if (against.kind !== "sums" || names.some((name) => against.sums.has(name))) return;
  const listed = [...against.sums.keys()];
  const shown = listed.slice(0, 5).join(", ");
  throw invalid(
    `${text} has no ${names.join(" and no ")}`,
    `it names ${shown}${listed.length > 5 ? `, and ${listed.length - 5} more` : ""}; for a file under another name write --against sha256:<its digest>`,
  );
}

/** GNU coreutils format: `<hex>  <name>`, ` *` for binary mode; every line must parse. */
export function parseSums(text: string, name: string): ReadonlyMap<string, Sha256> {
  const sums = new Map<string, Sha256>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const match = /^([0-9a-f]{64}) [ *](\S.*)$/.exec(line.replace(/\r$/, ""));
    if (match === null)
      throw invalid(
        `${name}:${index + 1}: not a line of digest and file name`,
        "the file must be in the format of sha256sum",
      );
    const file = (match[2] ?? "").replace(/^\.\//, "");
    const sha256 = sha256Schema.parse(match[1]);
    if (sums.has(file) && sums.get(file) !== sha256)
      throw invalid(`${name}:${index + 1}: ${file} has two digests`, "ask the publisher which one holds");
    sums.set(file, sha256);
  }
  if (sums.size === 0) throw invalid(`${name} names no file`, "the file must be in the format of sha256sum");
  return sums;
}

/** Whether a built artifact is the published one; in a list it is looked up by name, never by a digest that fits. */
export function judgeAgainst(against: Against, name: string, built: Artifact | undefined): AgainstResult {
  const published = against.kind === "digest" ? against.sha256 : against.sums.get(name);
  return {
    equal: built !== undefined && published === built.sha256,
    artifact: name,
    published,
    built: built?.sha256,
  };
}

/** How the built artifact stands to the published one, before `the published one`. */
export function relationOf(result: Pick<AgainstResult, "equal"> & { readonly built?: string | undefined }): string {
  if (result.equal) return "equal to";
  return result.built === undefined ? "not comparable with" : "differs from";
}

function invalid(message: string, hint: string, cause?: unknown): TwinsealError {
  return new TwinsealError("caller", "AGAINST_INVALID", message, { hint, ...(cause === undefined ? {} : { cause }) });
}
