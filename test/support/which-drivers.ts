import { tryUserNamespaces } from "../../builder/sandbox/preflight.ts";
import { openEngines } from "./engines.ts";

// Run by .ci/run: says which sandbox drivers this machine's tests can use, and why not the others.
const refusal = await tryUserNamespaces();
const lines = [`driver namespaces: ${refusal === undefined ? "can be tested" : `not tested: ${refusal.reason}`}`];
for (const [name, engine] of await openEngines()) {
  if (typeof engine === "string") lines.push(`driver ${name}: not tested: ${engine}`);
  else {
    lines.push(`driver ${name}: can be tested, ${engine.engine.version}`);
    await engine[Symbol.asyncDispose]();
  }
}
process.stdout.write(`${lines.join("\n")}\n`);
