import { readFileSync } from "node:fs";
import { systemCodeOf } from "../errors.ts";

/**
 * Who made a temporary file: `<pid>-<start time>`. Process ids are used again, hence the start time (clock ticks since
 * boot, field 22 of proc(5) stat; 0 where there is no /proc).
 */
export function ownerToken(pid: number = process.pid): string {
  return `${pid}-${startTicks(pid) ?? "0"}`;
}

export function isOwnerAlive(token: string): boolean {
  const [, pid, ticks] = /^(\d+)-(\d+)$/.exec(token) ?? [];
  if (pid === undefined || !isProcessAlive(Number(pid))) return false;
  const now = startTicks(Number(pid));
  return ticks === "0" || now === undefined || now === ticks;
}

export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
}

function startTicks(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is a program name in brackets and may hold anything.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
