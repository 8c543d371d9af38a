import type { FetchProgress } from "../builder/inputs/fetch.ts";
import { followLanes, type LaneState } from "./lane-clock.ts";
import { fetchLine, laneLine } from "./progress-lines.ts";

export type Progress = {
  readonly fetch: (progress: FetchProgress) => void;
  readonly lane: (target: string, side: "a" | "b", state: LaneState) => void;
  /** A line that stays. */
  readonly line: (text: string) => void;
  /** Leaves the terminal as it was; further calls are ignored. Safe to call twice. */
  readonly close: () => void;
};

export type ProgressDeps = {
  readonly stream: { write: (text: string) => unknown };
  readonly isTty: boolean;
  readonly columns: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
};

export const silentProgress: Progress = { fetch: () => {}, lane: () => {}, line: () => {}, close: () => {} };

/**
 * Live lines on a terminal, plain lines elsewhere: one for each change of phase, else one every ten seconds. Our own
 * renderer of one screen line a lane: it hides no cursor and takes no input, so that whatever ends us leaves a terminal
 * that works.
 */
export function createProgress(deps: ProgressDeps): Progress {
  return deps.isTty ? liveProgress(deps) : plainProgress(deps);
}

const REDRAW_MS = 100;
const CLOCK_MS = 1000;
const PLAIN_EVERY_MS = 10_000;

function liveProgress(deps: ProgressDeps): Progress {
  const { stream, now } = deps;
  const colour = (deps.env["NO_COLOR"] ?? "") === "";
  const viewAt = followLanes();
  const rows = new Map<string, () => string>();
  let drawnRows = 0;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let closed = false;
  const eraseText = () => (drawnRows > 0 ? `\x1b[${drawnRows}A\r\x1b[J` : "");
  const draw = (above = "") => {
    if (closed) return;
    drawnAtMs = now();
    const width = Math.max(deps.columns() - 1, 20);
    // A line that wraps could not be erased, and a control character in it could do anything.
    const ordered = [...rows].toSorted(([one], [two]) => (one < two ? -1 : 1));
    const lines = ordered.map(([, row]) => paint(printable(row()).slice(0, width), colour));
    stream.write(`${eraseText()}${above}${lines.map((line) => `${line}\n`).join("")}`);
    drawnRows = lines.length;
  };
  const timer = setInterval(draw, CLOCK_MS);
  timer.unref();
  const show = (key: string, row: () => string) => {
    const known = rows.has(key);
    rows.set(key, row);
    if (!known || now() - drawnAtMs >= REDRAW_MS) draw();
  };
  return {
    fetch: (progress) => show("fetch", () => fetchLine(progress)),
    lane: (target, side, state) => {
      const key = `${target} ${side}`;
      viewAt(key, state, now());
      show(key, () => laneLine(target, side, viewAt(key, state, now())));
    },
    line: (text) => draw(`${text}\n`),
    close: () => {
      draw();
      closed = true;
      clearInterval(timer);
    },
  };
}

function printable(line: string): string {
  return line.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

function paint(line: string, colour: boolean): string {
  return colour ? line.replace(/^(\S+ +[AB])(?= )/, "\x1b[1m$1\x1b[22m") : line;
}

function plainProgress(deps: ProgressDeps): Progress {
  const viewAt = followLanes();
  const said = new Map<string, { readonly phase: string; readonly atMs: number }>();
  let closed = false;
  const say = (key: string, phase: string, text: () => string) => {
    const last = said.get(key);
    if (closed || (last?.phase === phase && deps.now() - last.atMs < PLAIN_EVERY_MS)) return;
    said.set(key, { phase, atMs: deps.now() });
    deps.stream.write(`${printable(text())}\n`);
  };
  return {
    fetch: (progress) =>
      say("fetch", progress.doneFiles === progress.totalFiles ? "done" : "fetching", () => fetchLine(progress)),
    lane: (target, side, state) => {
      const key = `${target} ${side}`;
      const view = viewAt(key, state, deps.now());
      say(key, state.phase, () => laneLine(target, side, view));
    },
    line: (text) => void (closed || deps.stream.write(`${text}\n`)),
    close: () => {
      closed = true;
    },
  };
}
