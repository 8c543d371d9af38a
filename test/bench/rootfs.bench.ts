import { rm } from "node:fs/promises";
import { join } from "node:path";
import { makeDebianRootfs } from "../../builder/inputs/debian-rootfs.ts";
import { rootfsTree } from "../../builder/inputs/rootfs.ts";
import { openStore } from "../../builder/store/store.ts";
import { pinCompiler } from "../support/compiler.ts";
import { testStoreRoot } from "../support/toolchain.ts";
import { median, type Figure } from "./figure.ts";

const sets: Readonly<Record<string, readonly string[]>> = {
  "gcc libc6-dev": ["gcc", "libc6-dev"],
  "90 packages": ["rustc", "cargo", "gcc", "libc6-dev"],
};

/** A compiler's root file system of trixie from its locked packages, made anew each time, or only verified. */
export async function benchRootfs(set: string, what: "made" | "verified", times: number): Promise<Figure> {
  const store = await openStore(testStoreRoot());
  const { packages, rootfs } = await pinCompiler(store, "trixie", sets[set] ?? []);
  const seconds: number[] = [];
  for (let time = 0; time < times; time++) {
    if (what === "made") await rm(join(store.root, "trees", rootfs.sha256), { recursive: true, force: true });
    const startedAt = performance.now();
    await rootfsTree(store, rootfs, (dir) => makeDebianRootfs(store, packages, dir));
    seconds.push((performance.now() - startedAt) / 1000);
  }
  return {
    name: `root file system of ${set}, ${what}`,
    value: median(seconds),
    limit: what === "made" ? 10 : 0.3,
    unit: "s",
    detail: seconds.map((value) => value.toFixed(2)).join(" "),
  };
}
