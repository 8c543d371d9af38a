import type { Lock } from "./recipe/lock.ts";

/** Everything a sandbox writes lies in memory: what it may take, and whether two fit at the same time. */
export type MemoryPlan = {
  readonly sequential: boolean;
  /** One side's share of the memory that is free. */
  readonly sideBytes: number;
  /** Limit of one sandbox's scratch. */
  readonly scratchBytes: number;
};

const GiB = 1024 ** 3;

/** One side's need: compilers and linker, plus extracted modules and compiled packages, about ten times the zips. */
export function neededBytes(lock: Lock): number {
  const zips = lock.modules.reduce((sum, module) => sum + (module.zip?.sizeBytes ?? 0), 0);
  return 2 * GiB + 10 * zips;
}

/** Pure: both sides at once when they fit into the memory that is free, one after the other if not. */
export function planMemory(lock: Lock, availableBytes: number, sequential: boolean): MemoryPlan {
  const needed = neededBytes(lock);
  const oneAfterTheOther = sequential || 2 * needed > availableBytes;
  const sideBytes = Math.floor(oneAfterTheOther ? availableBytes : availableBytes / 2);
  return { sequential: oneAfterTheOther, sideBytes, scratchBytes: Math.max(2 * GiB, Math.floor(sideBytes * 0.8)) };
}
