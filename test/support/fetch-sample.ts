import { createHttp } from "../../builder/http.ts";
import { fetchInputs } from "../../builder/inputs/fetch.ts";
import { openStore } from "../../builder/store/store.ts";
import { sampleLock, sampleModule } from "./sample-lock.ts";

/** A process of its own that fetches, for tests that kill it: fetch-sample.ts STORE PROXY SIZE */
const [root = "", proxy = "", size = ""] = process.argv.slice(2);
await fetchInputs(sampleLock([sampleModule("big", Number(size))]), {
  store: await openStore(root),
  http: createHttp(),
  proxies: async () => [proxy],
  debianMirrors: async () => [],
  host: "linux/amd64",
  offline: false,
  gitEnv: {},
});
process.stdout.write("done\n");
