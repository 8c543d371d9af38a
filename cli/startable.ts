import { TwinsealError } from "../builder/errors.ts";

/** Refuses a Node that cannot run what follows; bin.js finds a better one before it comes to this. */
export function assertStartable(running: { readonly versions: { readonly node: string } }): void {
  const major = Number(running.versions.node.split(".")[0]);
  if (major >= 24) return;
  throw new TwinsealError(
    "caller",
    "NODE_TOO_OLD",
    `this is Node ${running.versions.node}; twinseal needs 24 or newer`,
    {
      hint: "run npm ci, which brings Node 24 along, and start twinseal through npx or cli/bin.js",
    },
  );
}
