import { createReadStream } from "node:fs";

/** A spelling of a run's day found in an artifact. */
export type DateFinding = { readonly artifact: string; readonly offset: number; readonly text: string };

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const longMonths = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAY_MS = 86_400_000;

/** How people and programs write a day (UTC), and the start of the epoch seconds that fall into it. */
export function spellingsOfDay(day: Date): readonly string[] {
  const year = String(day.getUTCFullYear());
  const month = String(day.getUTCMonth() + 1).padStart(2, "0");
  const date = String(day.getUTCDate()).padStart(2, "0");
  const plain = String(day.getUTCDate());
  const short = months[day.getUTCMonth()] ?? "";
  const long = longMonths[day.getUTCMonth()] ?? "";
  return [
    `${year}-${month}-${date}`,
    `${year}${month}${date}`,
    `${year}/${month}/${date}`,
    `${year}.${month}.${date}`,
    `${year}_${month}_${date}`,
    `${date}.${month}.${year}`,
    `${date}/${month}/${year}`,
    `${month}/${date}/${year}`,
    `${date}-${month}-${year}`,
    `${date} ${short} ${year}`,
    `${plain} ${short} ${year}`,
    `${date}-${short}-${year}`,
    `${short} ${date} ${year}`,
    `${short} ${plain.padStart(2, " ")} ${year}`,
    `${short} ${plain}, ${year}`,
    `${date} ${long} ${year}`,
    `${plain} ${long} ${year}`,
    `${long} ${plain}, ${year}`,
    `${long} ${date}, ${year}`,
    `${short} ${date} `,
    `${short} ${plain.padStart(2, " ")} `,
  ];
}

/** Epoch seconds of a run's time, as decimal digits: all of them share their first digits with start or end. */
export function epochSpellings(startMs: number, endMs: number): readonly string[] {
  const first = Math.floor(startMs / 1000);
  const last = Math.floor(endMs / 1000);
  // A longer run is searched by the leading digits that its seconds share.
  if (last - first > 600) return [...new Set([String(first).slice(0, 7), String(last).slice(0, 7)])];
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index));
}

export type Window = { readonly startMs: number; readonly endMs: number };

/** Every spelling of the days and seconds that the windows touch. */
export function spellingsOf(windows: readonly Window[]): readonly string[] {
  const found = new Set<string>();
  for (const { startMs, endMs } of windows) {
    for (let day = Math.floor(startMs / DAY_MS); day <= Math.floor(endMs / DAY_MS); day++)
      for (const text of spellingsOfDay(new Date(day * DAY_MS))) found.add(text);
    for (const text of epochSpellings(startMs, endMs)) found.add(text);
  }
  return [...found];
}

const MAX_FINDINGS = 20;

/** Looks for the spellings in a file, streamed; at most twenty findings. */
export async function findDates(
  path: string,
  artifact: string,
  spellings: readonly string[],
): Promise<readonly DateFinding[]> {
  const overlap = Math.max(...spellings.map((text) => text.length)) - 1;
  const needles = spellings.map((text) => Buffer.from(text, "latin1"));
  const found = new Map<string, DateFinding>();
  let carried = Buffer.alloc(0);
  let base = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const window = Buffer.concat([carried, chunk as Buffer]);
    for (const [index, needle] of needles.entries()) {
      const text = spellings[index] ?? "";
      const at = window.indexOf(needle);
      if (at >= 0 && !found.has(text) && found.size < MAX_FINDINGS)
        found.set(text, { artifact, offset: base + at, text });
    }
    carried = Buffer.from(window.subarray(Math.max(0, window.length - overlap)));
    base += window.length - carried.length;
  }
  return [...found.values()];
}
