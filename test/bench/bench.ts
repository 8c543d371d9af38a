import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repository } from "../support/toolchain.ts";
import { benchDriver } from "./driver.bench.ts";
import { benchFetch } from "./fetch.bench.ts";
import { median, type Figure } from "./figure.ts";
import { benchOffer } from "./modules.bench.ts";
import { benchRootfs } from "./rootfs.bench.ts";
import { benchFirstCompile, benchMemory, benchTwin } from "./twin.bench.ts";

/**
 * npm run bench [-- NAME…] [--pairs N]: prints each figure beside its limit. It judges nothing: machines are noisy.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pairs: { type: "string", default: "5" }, help: { type: "boolean" } },
});
const pairs = Number(values.pairs);

function benchVersion(): Figure {
  const bin = join(repository, "cli/bin.js");
  const time = (args: readonly string[]) => {
    const startedAt = performance.now();
    spawnSync(process.execPath, args, { stdio: "ignore" });
    return performance.now() - startedAt;
  };
  const ratios = Array.from({ length: 20 }, () => time([bin, "--version"]) / time(["-e", "0"]));
  return { name: "twinseal --version / node -e 0", value: median(ratios), limit: 2, unit: "ratio", detail: "20 pairs" };
}

const benches: Readonly<Record<string, () => Promise<Figure> | Figure>> = {
  version: benchVersion,
  fetch: () => benchFetch("cometbft", "0.38.23", pairs),
  "first-compile": () => benchFirstCompile("cometbft", "0.38.23", 3),
  "rootfs-made": () => benchRootfs("90 packages", "made", 3),
  "rootfs-verified": () => benchRootfs("gcc libc6-dev", "verified", pairs),
  "rootfs-verified-large": () => benchRootfs("90 packages", "verified", pairs),
  memory: () => benchMemory("celestia-node", "0.31.4"),
  "driver-namespaces": () => benchDriver("namespaces", 2 * pairs),
  "driver-docker": () => benchDriver("docker", 2 * pairs),
  "driver-podman": () => benchDriver("podman", 2 * pairs),
  "twin-node_exporter": () => benchTwin("node_exporter", "1.12.1", pairs),
  "twin-cosmovisor": () => benchTwin("cosmovisor", "1.7.1", pairs),
  "twin-wasmd": () => benchTwin("wasmd", "0.60.8", 1, false),
  "modules-offered": () => benchOffer("celestia-node", "0.31.4", pairs),
};

if (values.help === true) {
  console.log(`npm run bench [-- NAME… --pairs N]; there are ${Object.keys(benches).join(", ")}`);
  process.exit(0);
}

for (const name of positionals.length === 0 ? Object.keys(benches) : positionals) {
  const bench = benches[name];
  if (bench === undefined) throw new Error(`unknown bench ${name}; there are ${Object.keys(benches).join(", ")}`);
  const figure = await bench();
  const over = figure.value > figure.limit ? "  OVER THE LIMIT" : "";
  console.log(
    `${figure.name}: ${figure.value.toFixed(2)} ${figure.unit} (limit ${figure.limit})${over}  [${figure.detail}]`,
  );
}
