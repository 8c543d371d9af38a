import { openToolchain } from "./toolchain.ts";
import { openTwinBench } from "./twin.ts";

// Run by death.test.ts as a process of its own: starts a build whose first step sleeps for an hour.
const bench = await openTwinBench(await openToolchain(), ["hostile"]);
process.stdout.write(`${bench.dir}\n`);
await bench.build({ before: ["hostile", "sleep"] });
