import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { offerModules } from "../../builder/inputs/go-modules.ts";
import { openStore } from "../../builder/store/store.ts";
import { readLock, testStoreRoot } from "../support/toolchain.ts";
import { median, type Figure } from "./figure.ts";
import { twinseal } from "./timing.ts";

/** Digesting all modules of a lock and laying them out for the go command. The limit is 5 % of a build of 100 s. */
export async function benchOffer(name: string, version: string, times: number): Promise<Figure> {
  await twinseal(["fetch", `${name}@${version}`]);
  const { modules } = await readLock(name, version);
  const store = await openStore(testStoreRoot());
  const seconds: number[] = [];
  for (let time = 0; time < times; time++) {
    const dir = await mkdtemp(join(store.root, "tmp", "offer-"));
    const startedAt = performance.now();
    await offerModules(store, modules, dir);
    seconds.push((performance.now() - startedAt) / 1000);
    await rm(dir, { recursive: true, force: true });
  }
  return {
    name: `verifying and offering ${modules.length} modules, ${name} ${version}`,
    value: median(seconds),
    limit: 5,
    unit: "s",
    detail: seconds.map((value) => value.toFixed(2)).join(" "),
  };
}
