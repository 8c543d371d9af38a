import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lockedVersions, manifestNames } from "../../builder/recipe/catalog.ts";
import { loadRecipe } from "../../builder/recipe/load.ts";
import { countVaried, reportSchema } from "../../builder/report.ts";
import { runProgram } from "../cli/program.ts";
import { repository } from "../support/toolchain.ts";

const manifests = join(repository, "manifests");
/** `TWINSEAL_REAL=cosmovisor,horcrux` takes some of them. */
const only = process.env["TWINSEAL_REAL"]?.split(",");

for (const name of (await manifestNames(manifests)).filter((one) => only?.includes(one) !== false)) {
  for (const version of await lockedVersions(join(manifests, name))) {
    it(`${name} ${version} reproduces for all its targets`, async () => {
      const { recipe } = await loadRecipe(join(manifests, name, "recipe.yaml"));
      const out = await mkdtemp(join(tmpdir(), "twinseal-real-"));
      try {
        const env = {
          CI: "true",
          ...(process.env["GOPROXY"] === undefined ? {} : { GOPROXY: process.env["GOPROXY"] }),
        };
        const built = await runProgram(["build", `${name}@${version}`, "--all-targets", "--out", out], { env });
        expect(built.code, built.stderr).toBe(0);
        const text = await readFile(join(out, `${name}-v${version}`, "report.json"), "utf8");
        const report = reportSchema.parse(JSON.parse(text));
        expect(report.verdict).toBe("match");
        expect(report.targets.map(({ platform }) => platform)).toEqual(recipe.targets);
        for (const target of report.targets) {
          const { varied, all } = countVaried(target);
          const seconds = (run: "a" | "b") => Math.round(target.runs[run].durationMs / 1000);
          const check = target.check?.ran === true ? `, check printed ${JSON.stringify(target.check.expected)}` : "";
          console.log(
            `${name} ${version} ${target.platform}: ${target.verdict} ${target.artifacts[0]?.sha256 ?? ""}, ${varied} of ${all} varied, ` +
              `${target.runs.a.packages.compiled} packages, ${seconds("a")} s and ${seconds("b")} s${check}`,
          );
          expect(target.runs.b.packages.compiled).toBe(target.runs.b.packages.total);
        }
      } finally {
        await rm(out, { recursive: true, force: true });
      }
    });
  }
}
