import type { HeldValue } from "./cause.ts";

/** When a run's program could have looked at its clock: the probe's time (ISO 8601), and for how long it ran on. */
export type ClockSpan = { readonly time: string | undefined; readonly durationMs: number };

/** Zones are whole quarters of an hour apart, so what is looked at is the time within one. */
const QUARTER_MS = 900_000;
/** In a longer run too many times of day would fit by chance. */
const MAX_SPAN_MS = QUARTER_MS / 3;

/** Pure: a time of day in both excerpts that is each run's own, in whatever zone. The runs' clocks are apart. */
export function heldClockTime(
  excerpts: { readonly a: string; readonly b: string },
  spans: { readonly a: ClockSpan; readonly b: ClockSpan },
): HeldValue | undefined {
  const [a, b] = [ownTime(excerpts.a, spans.a), ownTime(excerpts.b, spans.b)];
  return a === undefined || b === undefined || a === b ? undefined : { id: "time", a, b };
}

function ownTime(text: string, { time, durationMs }: ClockSpan): string | undefined {
  const startMs = Date.parse(time ?? "");
  if (!Number.isFinite(startMs) || durationMs > MAX_SPAN_MS) return undefined;
  for (const [found, h, m, s] of text.matchAll(/(?<!\d)([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?!\d)/g)) {
    const ofDayMs = ((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000;
    // A second is written without its fraction.
    const sinceMs = (((ofDayMs + 999 - startMs) % QUARTER_MS) + QUARTER_MS) % QUARTER_MS;
    if (sinceMs <= durationMs + 999) return found;
  }
  return undefined;
}
