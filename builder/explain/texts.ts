import { readWindows } from "./windows.ts";

/** Which of the texts occur in a file; streamed. */
export async function findTexts(path: string, texts: readonly string[]): Promise<ReadonlySet<string>> {
  const needles = texts.map((text) => ({ text, bytes: Buffer.from(text) }));
  const overlap = Math.max(1, ...needles.map(({ bytes }) => bytes.length)) - 1;
  const found = new Set<string>();
  for await (const { bytes: window } of readWindows(path, overlap)) {
    for (const { text, bytes } of needles) if (!found.has(text) && window.includes(bytes)) found.add(text);
  }
  return found;
}
