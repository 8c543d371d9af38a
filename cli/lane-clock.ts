import { estimateLeftMs, type LaneView } from "./progress-lines.ts";

/** What the builder tells of a lane. */
export type LaneState = {
  readonly phase: string;
  readonly compiled: number;
  readonly total: number;
  readonly writtenBytes: number;
};

type Memory = { readonly startedAtMs: number; readonly compilingSinceMs?: number; readonly endedAtMs?: number };

/** Remembers when each lane began, began to compile and ended, and adds elapsed time and estimate to its state. */
export function followLanes(): (key: string, state: LaneState, nowMs: number) => LaneView {
  const memories = new Map<string, Memory>();
  return (key, state, nowMs) => {
    const memory = advance(memories.get(key), state, nowMs);
    memories.set(key, memory);
    const { phase, compiled, total } = state;
    const since = memory.compilingSinceMs;
    return {
      ...state,
      elapsedMs: (memory.endedAtMs ?? nowMs) - memory.startedAtMs,
      etaMs: phase === "compiling" && since !== undefined ? estimateLeftMs(compiled, total, nowMs - since) : undefined,
    };
  };
}

function advance(memory: Memory | undefined, state: LaneState, nowMs: number): Memory {
  const before = memory ?? { startedAtMs: nowMs };
  if (state.phase === "compiling") return { compilingSinceMs: nowMs, ...before };
  if (state.phase === "built" || state.phase === "failed") return { endedAtMs: nowMs, ...before };
  return before;
}
