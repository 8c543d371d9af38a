import type { FetchProgress } from "../builder/inputs/fetch.ts";

/** One side of one target. Times in milliseconds; `etaMs` is an estimate of what is left. */
export type LaneView = {
  readonly phase: string;
  readonly compiled: number;
  readonly total: number;
  readonly writtenBytes: number;
  readonly elapsedMs: number;
  readonly etaMs?: number | undefined;
};

/** `linux/amd64 A  compiling        120/351 packages  412.0 MB  0:14, about 0:27 left`. */
export function laneLine(target: string, side: "a" | "b", view: LaneView): string {
  const count =
    view.total > 0 ? ` ${String(view.compiled).padStart(String(view.total).length)}/${view.total} packages` : "";
  const written = view.writtenBytes > 0 ? `  ${megabytes(view.writtenBytes)} MB` : "";
  const left = view.etaMs === undefined ? "" : `, about ${clock(view.etaMs)} left`;
  return `${target} ${side.toUpperCase()}  ${view.phase.padEnd(16)}${count}${written}  ${clock(view.elapsedMs)}${left}`;
}

/** `fetching 12/180 files  34.5 of 210.0 MB  github.com/x/y@v1.2.3`. */
export function fetchLine(progress: FetchProgress): string {
  const { doneFiles, totalFiles, doneBytes, totalBytes, label } = progress;
  const verb = doneFiles === totalFiles ? "fetched" : "fetching";
  const what = doneFiles === totalFiles ? "" : `  ${label}`;
  return `${verb} ${doneFiles}/${totalFiles} files  ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB${what}`;
}

/**
 * What is left, from the share of packages done; undefined while too little is known. Packages are not equally large,
 * and the link comes last: a tenth is added for it.
 */
export function estimateLeftMs(compiled: number, total: number, compilingMs: number): number | undefined {
  if (total === 0 || compiled < Math.max(10, total / 20) || compiled > total) return undefined;
  return Math.round((compilingMs / compiled) * (total - compiled) * 1.1 + compilingMs * 0.1 * (compiled / total));
}

/** `m:ss`, or `h:mm:ss` from an hour on. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const pad = (value: number) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
