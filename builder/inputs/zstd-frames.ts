/** What the walk wants next: so many bytes to look at, so many to pass over, or a cut, since a frame ends here. */
type Want = { readonly look: number } | { readonly skip: number } | "cut";

/**
 * The same bytes, cut where a zstd frame ends (RFC 8878, section 3.1): Node drops what follows a frame's end in one write
 * (nodejs/node#64741). What is no zstd passes uncut, for the decompressor to refuse.
 */
export async function* cutFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const walk = walkFrames();
  let want = walk.next(Buffer.alloc(0));
  let looked = Buffer.alloc(0);
  let skipped = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = 0; at < chunk.length && want.done !== true;) {
      const { value } = want;
      if (value === "cut") {
        if (at > from) yield chunk.subarray(from, at);
        from = at;
        want = walk.next(looked);
      } else if ("look" in value) {
        const part = chunk.subarray(at, at + value.look - looked.length);
        looked = Buffer.concat([looked, part]);
        at += part.length;
        if (looked.length < value.look) continue;
        want = walk.next(looked);
        looked = Buffer.alloc(0);
      } else {
        const part = Math.min(value.skip - skipped, chunk.length - at);
        skipped += part;
        at += part;
        if (skipped < value.skip) continue;
        want = walk.next(looked);
        skipped = 0;
      }
    }
    if (from < chunk.length) yield chunk.subarray(from);
  }
}

const FRAME = 0xfd2f_b528;
const SKIPPABLE = 0x184d_2a50;

/** Ends at what is no frame. */
function* walkFrames(): Generator<Want, void, Buffer> {
  for (;;) {
    const magic = (yield { look: 4 }).readUInt32LE();
    if (magic - (magic % 16) === SKIPPABLE) {
      yield { skip: (yield { look: 4 }).readUInt32LE() };
    } else if (magic === FRAME) {
      const descriptor = (yield { look: 1 }).readUInt8();
      const isSingle = (descriptor & 0x20) !== 0;
      const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
      yield { skip: (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0) + sizeBytes };
      for (let isLast = false; !isLast;) {
        const header = (yield { look: 3 }).readUIntLE(0, 3);
        isLast = (header & 1) === 1;
        const isRun = ((header >> 1) & 3) === 1;
        yield { skip: isRun ? 1 : header >> 3 };
      }
      yield { skip: (descriptor & 4) === 0 ? 0 : 4 };
    } else return;
    yield "cut";
  }
}
