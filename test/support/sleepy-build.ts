import { z } from "zod";
import { openToolchain } from "./toolchain.ts";
import { openTwinBench } from "./twin.ts";

// Run by death.test.ts as a process of its own: starts a build whose first step sleeps for an hour. Its two arguments
// are the driver and the engine's environment as JSON.
const [driver = "namespaces", env = "{}"] = process.argv.slice(2);
const bench = await openTwinBench(await openToolchain(), ["hostile"], {
  driver,
  env: z.record(z.string(), z.string()).parse(JSON.parse(env)),
});
process.stdout.write(`${bench.dir}\n`);
await bench.build({ before: ["hostile", "sleep"] });
