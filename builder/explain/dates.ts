import type { Lock } from "../recipe/lock.ts";
import { readWindows } from "./windows.ts";

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
    `${month}-${date}-${year}`,
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

export type RunTime = { readonly startMs: number; readonly endMs: number };

/** As `date` prints a day: the year comes after the time. Go's own layouts hold "Jan 02 " without it. */
function splitSpellingsOfDay(day: Date): readonly Spelling[] {
  const short = months[day.getUTCMonth()] ?? "";
  const date = String(day.getUTCDate());
  const year = String(day.getUTCFullYear());
  return [`${short} ${date.padStart(2, "0")} `, `${short} ${date.padStart(2, " ")} `].map((text) => ({ text, year }));
}

/** `year`: counts only when this follows within the same line's reach. */
export type Spelling = { readonly text: string; readonly year?: string };

/** Every spelling of the days and seconds that the windows touch. */
export function spellingsOf(windows: readonly RunTime[]): readonly Spelling[] {
  const found = new Map<string, Spelling>();
  const add = (spelling: Spelling) => found.set(spelling.text, spelling);
  for (const { startMs, endMs } of windows) {
    for (let day = Math.floor(startMs / DAY_MS); day <= Math.floor(endMs / DAY_MS); day++) {
      const date = new Date(day * DAY_MS);
      for (const text of spellingsOfDay(date)) add({ text });
      splitSpellingsOfDay(date).forEach(add);
    }
    for (const text of epochSpellings(startMs, endMs)) add({ text });
  }
  return [...found.values()];
}

/** Texts of a lock in which a day stands: an artifact may hold them whatever day it was built on. */
export function datedTexts(lock: Pick<Lock, "version" | "source" | "modules" | "sourceDateEpoch">): string[] {
  const { version, source, modules, sourceDateEpoch } = lock;
  const named = [version, source.kind === "git" ? source.tag : "", ...modules.map((module) => module.version)];
  const day = sourceDateEpoch === undefined ? [] : spellingsOfDay(new Date(sourceDateEpoch * 1000));
  const seconds = sourceDateEpoch === undefined ? [] : [String(sourceDateEpoch)];
  return [
    ...new Set([...named.filter((text) => /\d{8}|\d{4}[._-]\d\d[._-]\d\d/.test(text)), ...day, ...seconds]),
  ].toSorted();
}

const MAX_FINDINGS = 20;

/** Bytes after a spelling in which its year must come: "Nov 24 06:29:18 PM +0000 2026". */
const REACH_BYTES = 32;
const OVERLAP_BYTES = 64;

/** Looks for the spellings in a file, streamed; at most twenty findings. */
export async function findDates(
  path: string,
  artifact: string,
  spellings: readonly Spelling[],
): Promise<readonly DateFinding[]> {
  const needles = spellings.map((spelling) => ({ ...spelling, bytes: Buffer.from(spelling.text, "latin1") }));
  const found = new Map<string, DateFinding>();
  for await (const { bytes, offset } of readWindows(path, OVERLAP_BYTES)) {
    for (const needle of needles) {
      if (found.has(needle.text) || found.size >= MAX_FINDINGS) continue;
      const at = indexOfSpelling(bytes, needle);
      if (at !== undefined) found.set(needle.text, { artifact, offset: offset + at, text: needle.text.trim() });
    }
  }
  return [...found.values()];
}

function indexOfSpelling(window: Buffer, needle: Spelling & { readonly bytes: Buffer }): number | undefined {
  for (let at = window.indexOf(needle.bytes); at >= 0; at = window.indexOf(needle.bytes, at + 1)) {
    if (needle.year === undefined) return at;
    const end = at + needle.bytes.length;
    if (window.subarray(end, end + REACH_BYTES).includes(needle.year)) return at;
  }
  return undefined;
}
