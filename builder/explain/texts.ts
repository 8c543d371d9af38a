import { createReadStream } from "node:fs";

/** Which of the texts occur in a file; streamed. */
export async function findTexts(path: string, texts: readonly string[]): Promise<ReadonlySet<string>> {
  const needles = texts.map((text) => ({ text, bytes: Buffer.from(text) }));
  const overlap = Math.max(1, ...needles.map(({ bytes }) => bytes.length)) - 1;
  const found = new Set<string>();
  let carried = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const window = Buffer.concat([carried, chunk as Buffer]);
    for (const { text, bytes } of needles) if (!found.has(text) && window.includes(bytes)) found.add(text);
    carried = Buffer.from(window.subarray(Math.max(0, window.length - overlap)));
  }
  return found;
}
