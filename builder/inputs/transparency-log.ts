import { createHash } from "node:crypto";

/**
 * RFC 6962 trees read through tiles of height 8 (golang.org/x/mod/sumdb/tlog, https://research.swtch.com/tlog). Sizes
 * and indexes are leaf counts below 2^53. Nothing read from a tile is trusted: every result is a root to be compared
 * with a signed one.
 */
export type TileId = { readonly level: number; readonly index: number; readonly width: number };

/** Reads a tile: `width` hashes of 32 bytes. */
export type ReadTile = (tile: TileId) => Promise<Buffer>;

export type TreeHead = { readonly size: number; readonly root: Buffer };

const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;

export function leafHash(record: Uint8Array): Buffer {
  return createHash("sha256").update(Buffer.of(0)).update(record).digest();
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash("sha256").update(Buffer.of(1)).update(left).update(right).digest();
}

/** `tile/8/<level>/<index>[.p/<width>]`, the index in groups of three digits. */
export function tilePath({ level, index, width }: TileId): string {
  let rest = index;
  let path = String(rest % 1000).padStart(3, "0");
  while (rest >= 1000) {
    rest = Math.floor(rest / 1000);
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
  }
  return `tile/${TILE_HEIGHT}/${level}/${path}${width === TILE_WIDTH ? "" : `.p/${width}`}`;
}

/** The hash of the complete subtree of 2^level leaves with this index, from the tiles of a tree of `size` leaves. */
async function storedHash(read: ReadTile, size: number, level: number, index: number): Promise<Buffer> {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const inner = level % TILE_HEIGHT;
  const first = index * 2 ** inner; // at the tile's lowest level
  const tileIndex = Math.floor(first / TILE_WIDTH);
  const available = Math.floor(size / 2 ** (tileLevel * TILE_HEIGHT)) - tileIndex * TILE_WIDTH;
  const tile = await read({ level: tileLevel, index: tileIndex, width: Math.min(TILE_WIDTH, available) });
  let hashes = Array.from({ length: 2 ** inner }, (_, at) => {
    const start = ((first % TILE_WIDTH) + at) * 32;
    return tile.subarray(start, start + 32);
  });
  while (hashes.length > 1)
    hashes = Array.from({ length: hashes.length / 2 }, (_, at) =>
      nodeHash(hashes[2 * at] ?? tile, hashes[2 * at + 1] ?? tile),
    );
  const [hash] = hashes;
  if (hash?.length !== 32) throw new RangeError("a tile is too short");
  return hash;
}

/** Largest power of two smaller than n. */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

type KnownHash = (start: number, end: number) => Buffer | undefined;

/** Merkle tree hash of the leaves [start, end), taking what is already known and reading the rest. */
async function treeHash(
  read: ReadTile,
  size: number,
  start: number,
  end: number,
  known: KnownHash,
  mustSplit: (start: number, end: number) => boolean,
): Promise<Buffer> {
  const hash = known(start, end);
  if (hash !== undefined) return hash;
  const count = end - start;
  const level = Math.log2(count);
  if (Number.isInteger(level) && !mustSplit(start, end)) return storedHash(read, size, level, start / count);
  const middle = start + splitPoint(count);
  return nodeHash(
    await treeHash(read, size, start, middle, known, mustSplit),
    await treeHash(read, size, middle, end, known, mustSplit),
  );
}

/** The root that follows from this leaf at this index, in a tree of `size` leaves: equal to the signed root if it is in. */
export function rootWithLeaf(read: ReadTile, size: number, index: number, leaf: Buffer): Promise<Buffer> {
  return treeHash(
    read,
    size,
    0,
    size,
    (start, end) => (start === index && end === index + 1 ? leaf : undefined),
    (start, end) => start <= index && index < end,
  );
}

/**
 * The roots of an older and the newer tree that follow from one and the same set of subtrees: when both are the signed
 * ones, the older tree is a prefix of the newer.
 */
export async function consistentRoots(
  read: ReadTile,
  olderSize: number,
  newerSize: number,
): Promise<{ older: Buffer; newer: Buffer }> {
  const shared = new Map<string, Buffer>();
  const none: KnownHash = () => undefined;
  for (let start = 0, rest = olderSize; rest > 0;) {
    const count = 2 ** Math.floor(Math.log2(rest));
    shared.set(`${start}-${start + count}`, await treeHash(read, newerSize, start, start + count, none, () => false));
    start += count;
    rest -= count;
  }
  const known: KnownHash = (start, end) => shared.get(`${start}-${end}`);
  // Whatever holds old leaves is made from the shared subtrees alone.
  const mustSplit = (start: number) => start < olderSize;
  return {
    older: await treeHash(read, newerSize, 0, olderSize, known, mustSplit),
    newer: await treeHash(read, newerSize, 0, newerSize, known, mustSplit),
  };
}
