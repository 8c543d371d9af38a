import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runStep } from "./run-step.ts";
import { digestTree, diffTrees } from "./tree-digests.ts";

/**
 * Our own medicine: dist/ is bundled twice, in two folders with names of different length, and both must equal the
 * committed bytes. Exit status 0 when they do, 1 with the files that differ.
 */
const sources = [
  "actions",
  "attest",
  "builder",
  "cli",
  "mirror",
  "release",
  "manifests",
  "package.json",
  "rolldown.config.ts",
  "tsconfig.json",
];

async function bundleIn(dir: string): Promise<ReadonlyMap<string, string>> {
  for (const name of sources) {
    await cp(name, join(dir, name), { recursive: true }).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    });
  }
  await symlink(join(process.cwd(), "node_modules"), join(dir, "node_modules"));
  const code = await runStep(["rolldown", "-c", "rolldown.config.ts", "--logLevel", "warn"], dir);
  if (code !== 0) throw new Error(`rolldown ended with ${code}`);
  return digestTree(join(dir, "dist"));
}

const base = await mkdtemp(join(tmpdir(), "twinseal-bundle-"));
try {
  const [first, second] = [join(base, "a"), join(base, "a-longer-name", "deeper")];
  const [a, b] = [await bundleIn(first), await bundleIn(second)];
  const committed = await digestTree("dist");
  const problems = [
    ...diffTrees(a, b).map((name) => `bundled twice, different: ${name}`),
    ...diffTrees(a, committed).map((name) => `not as committed: dist/${name}`),
  ];
  for (const problem of problems) console.error(`bundle: ${problem}`);
  if (problems.length > 0) console.error("hint: run npm run bundle and commit dist/ in a commit of its own");
  else console.log(`bundle: ${a.size} files, equal from two folders and in dist/`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await rm(base, { recursive: true, force: true });
}
