import { open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TwinsealError } from "../errors.ts";
import type { SandboxSpec } from "./driver.ts";

/** What init is told in a container: no path of the host. Mirrors `Spec` in inside/spec.go. */
export type ContainedSpec = Omit<SandboxSpec, "source" | "binds" | "rootfs" | "outputTo"> & {
  readonly source: Omit<SandboxSpec["source"], "from">;
  readonly contained: true;
  readonly preflight: boolean;
  readonly mounts: readonly string[];
  readonly ownerUid: number;
  readonly ownerGid: number;
};

/** Pieces this large at most are gathered before they are sent. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Sends plan and source to init and leaves the stream open. The plan is one line of JSON; then an entry of the tree is a
 * line, followed by a file's bytes, in the order that a directory of the sandbox is to have; an empty path ends it.
 */
export async function sendSandbox(stdin: Writable, plan: ContainedSpec, sourceFrom: string): Promise<void> {
  const pieces = gather(sandboxPieces(plan, sourceFrom));
  await pipeline(Readable.from(pieces, { objectMode: false }), stdin, { end: false });
}

async function* sandboxPieces(plan: ContainedSpec, sourceFrom: string): AsyncGenerator<Buffer> {
  yield line(plan);
  if (sourceFrom !== "") yield* treePieces(sourceFrom, "", plan.source.reverseOrder);
  yield line({ path: "" });
}

async function* treePieces(root: string, below: string, reverse: boolean): AsyncGenerator<Buffer> {
  for (const entry of sorted(await readdir(join(root, below), { withFileTypes: true }), reverse)) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      yield line({ path, kind: "dir" });
      yield* treePieces(root, path, reverse);
    } else if (entry.isSymbolicLink()) {
      yield line({ path, kind: "link", target: await readlink(join(root, path)) });
    } else if (entry.isFile()) yield* filePieces(root, path);
    else throw new TwinsealError("caller", "SOURCE_UNSAFE", `${path} is neither a file, a directory nor a link`);
  }
}

async function* filePieces(root: string, path: string): AsyncGenerator<Buffer> {
  await using file = await open(join(root, path));
  const { size, mode } = await file.stat();
  yield line({ path, kind: "file", executable: (mode & 0o100) !== 0, sizeBytes: size });
  for (let left = size; left > 0;) {
    const buffer = Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES));
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) throw new TwinsealError("world", "SOURCE_CHANGED", `${path} changed while it was read`);
    yield buffer.subarray(0, bytesRead);
    left -= bytesRead;
  }
}

/** By the names' bytes, as Go sorts them: both drivers must copy in the same order. */
function sorted<T extends { readonly name: string }>(entries: readonly T[], reverse: boolean): readonly T[] {
  const bytes = (entry: T) => Buffer.from(entry.name);
  return entries.toSorted((a, b) => (reverse ? -1 : 1) * Buffer.compare(bytes(a), bytes(b)));
}

function line(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

async function* gather(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const piece of pieces) {
    held.push(piece);
    heldBytes += piece.length;
    if (heldBytes >= CHUNK_BYTES) {
      yield Buffer.concat(held);
      [held, heldBytes] = [[], 0];
    }
  }
  yield Buffer.concat(held);
}
