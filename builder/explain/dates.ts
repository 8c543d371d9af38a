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
/** Somewhere it is another day already, or still. */
const ZONE_MS = 14 * 3_600_000;

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
    `${date}-${short}-${year.slice(2)}`,
    `${date} ${short} ${year.slice(2)}`,
    `${short}-${date}-${year}`,
    `${date}. ${month}. ${year}`,
    `${plain}. ${String(day.getUTCMonth() + 1)}. ${year}`,
    `${short} ${date} ${year}`,
    `${short} ${plain.padStart(2, " ")} ${year}`,
    `${short} ${plain}, ${year}`,
    `${date} ${long} ${year}`,
    `${plain} ${long} ${year}`,
    `${long} ${plain}, ${year}`,
    `${long} ${date}, ${year}`,
  ];
}

/** Epoch seconds of a run's time, as decimal digits: one text per thousand seconds. */
function epochSpellings(startMs: number, endMs: number): readonly Spelling[] {
  const seconds = { first: Math.floor(startMs / 1000), last: Math.floor(endMs / 1000) };
  const first = Math.floor(seconds.first / 1000);
  const last = Math.floor(seconds.last / 1000);
  return Array.from({ length: last - first + 1 }, (_, index) => ({ text: String(first + index), seconds }));
}

export type RunTime = { readonly startMs: number; readonly endMs: number };

/** As `date` prints a day: the year comes after the time. Go's own layouts hold "Jan 02 " without it. */
function splitSpellingsOfDay(day: Date): readonly Spelling[] {
  const short = months[day.getUTCMonth()] ?? "";
  const date = String(day.getUTCDate());
  const year = String(day.getUTCFullYear());
  return [`${short} ${date.padStart(2, "0")} `, `${short} ${date.padStart(2, " ")} `].map((text) => ({ text, year }));
}

/** A text to look for, and what else must hold where it stands. */
export type Spelling = {
  readonly text: string;
  /** Counts only when this follows within the same line's reach. */
  readonly year?: string;
  /** The text is all but the last three digits of a number of seconds within these bounds. */
  readonly seconds?: { readonly first: number; readonly last: number };
};

/** Every spelling of the days and seconds that the windows touch. */
export function spellingsOf(windows: readonly RunTime[]): readonly Spelling[] {
  const found = new Map<string, Spelling>();
  const add = (spelling: Spelling) => found.set(`${spelling.text} ${spelling.seconds?.first ?? ""}`, spelling);
  for (const { startMs, endMs } of windows) {
    const [first, last] = [startMs - ZONE_MS, endMs + ZONE_MS].map((ms) => Math.floor(ms / DAY_MS));
    for (let day = first ?? 0; day <= (last ?? 0); day++) {
      const date = new Date(day * DAY_MS);
      for (const text of spellingsOfDay(date)) add({ text });
      splitSpellingsOfDay(date).forEach(add);
    }
    epochSpellings(startMs, endMs).forEach(add);
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

/** Looks for the spellings in a file, streamed; at most twenty findings, none of them a part of an excused text. */
export async function findDates(
  path: string,
  artifact: string,
  spellings: readonly Spelling[],
  excused: readonly string[],
): Promise<readonly DateFinding[]> {
  const needles = spellings.map((spelling) => ({ ...spelling, bytes: Buffer.from(spelling.text, "latin1") }));
  const done = new Set<Needle>();
  const found: DateFinding[] = [];
  for await (const { bytes, offset } of readWindows(path, OVERLAP_BYTES)) {
    for (const needle of needles) {
      if (done.has(needle) || found.length >= MAX_FINDINGS) continue;
      const match = matchIn(bytes, needle, excused);
      if (match === undefined) continue;
      done.add(needle);
      found.push({ artifact, offset: offset + match.at, text: match.text.trim() });
    }
  }
  return found;
}

type Needle = Spelling & { readonly bytes: Buffer };

function matchIn(
  window: Buffer,
  needle: Needle,
  excused: readonly string[],
): { readonly at: number; readonly text: string } | undefined {
  for (let at = window.indexOf(needle.bytes); at >= 0; at = window.indexOf(needle.bytes, at + 1)) {
    const text = textAt(window, at, needle);
    if (text !== undefined && !excused.some((dated) => dated.includes(text))) return { at, text };
  }
  return undefined;
}

/** What a needle stands for at this place, when it does. */
function textAt(window: Buffer, at: number, { text, bytes, year, seconds }: Needle): string | undefined {
  const end = at + bytes.length;
  if (seconds !== undefined) {
    const digits = window.toString("latin1", at, end + 3);
    return /^\d+$/.test(digits) && Number(digits) >= seconds.first && Number(digits) <= seconds.last
      ? digits
      : undefined;
  }
  if (year !== undefined && !window.subarray(end, end + REACH_BYTES).includes(year)) return undefined;
  return text;
}
