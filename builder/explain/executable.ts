import { open } from "node:fs/promises";
import { TwinsealError } from "../errors.ts";
import { splitPlatform, type Platform } from "../platform.ts";

/** What a file's first bytes say it is; undefined for what is no executable we know. */
export type ExecutablePlatform = {
  readonly format: "elf" | "mach-o" | "pe";
  readonly goos: string | undefined;
  readonly goarch: string | undefined;
};

const elfMachines: Readonly<Record<number, string>> = { 62: "amd64", 183: "arm64" };
const machCpus: Readonly<Record<number, string>> = { 0x0100_0007: "amd64", 0x0100_000c: "arm64" };
const peMachines: Readonly<Record<number, string>> = { 0x8664: "amd64", 0xaa64: "arm64" };
const HEAD_BYTES = 4096;

export async function executablePlatform(path: string): Promise<ExecutablePlatform | undefined> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return platformOfHead(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

export function platformOfHead(head: Buffer): ExecutablePlatform | undefined {
  if (head.length >= 20 && head.readUInt32BE(0) === 0x7f45_4c46 && head[4] === 2 && head[5] === 1) {
    // Go marks FreeBSD in the OS ABI byte; Linux stays 0 (System V) or 3.
    const goos = head[7] === 9 ? "freebsd" : head[7] === 0 || head[7] === 3 ? "linux" : undefined;
    return { format: "elf", goos, goarch: elfMachines[head.readUInt16LE(18)] };
  }
  if (head.length >= 8 && head.readUInt32LE(0) === 0xfeed_facf) {
    return { format: "mach-o", goos: "darwin", goarch: machCpus[head.readUInt32LE(4)] };
  }
  if (head.length >= 64 && head.readUInt16BE(0) === 0x4d5a) {
    const at = head.readUInt32LE(60);
    if (at + 6 <= head.length && head.readUInt32BE(at) === 0x5045_0000)
      return { format: "pe", goos: "windows", goarch: peMachines[head.readUInt16LE(at + 4)] };
  }
  return undefined;
}

/** Throws `verdict/WRONG_PLATFORM` unless the file is an executable of the declared platform. */
export async function assertPlatform(path: string, platform: Platform): Promise<void> {
  const { goos, goarch } = splitPlatform(platform);
  const found = await executablePlatform(path);
  if (found?.goos === goos && found.goarch === goarch) return;
  const what =
    found === undefined
      ? "no executable"
      : `${found.format} for ${found.goos ?? "an unknown system"}/${found.goarch ?? "an unknown processor"}`;
  throw new TwinsealError("verdict", "WRONG_PLATFORM", `${path} is ${what}, not an executable for ${platform}`, {
    hint: "is the package a command (package main)?",
  });
}
