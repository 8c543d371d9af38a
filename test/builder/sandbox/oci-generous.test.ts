import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openEngine } from "../../support/engines.ts";
import { openToolchain } from "../../support/toolchain.ts";
import { openTwinBench } from "../../support/twin.ts";

it("a volume that the engine's own settings add to every container is seen from inside, and refused", async (context) => {
  const engine = await openEngine("podman");
  if (typeof engine === "string") return context.skip(engine);
  await using _ = engine;
  const conf = engine.env["CONTAINERS_CONF"];
  if (conf === undefined || engine.dir === "") return context.skip("podman's settings are not the test's own here");
  const dir = await mkdtemp(join(tmpdir(), "twinseal-generous-"));
  try {
    const settings = join(dir, "containers.conf");
    const bench = (env: Readonly<Record<string, string>>) => openTwinBenchOrThrow({ ...engine.env, ...env });
    // [containers] is the last table of the test's own settings.
    await writeFile(settings, `${await readFile(conf, "utf8")}volumes = ["/var:/host-var:ro"]\n`);
    await expect(bench({ CONTAINERS_CONF: settings })).rejects.toMatchObject({
      kind: "world",
      code: "ENGINE_TOO_GENEROUS",
      message: expect.stringContaining("/host-var"),
    });
    await bench({});
    expect(await engine.containers()).toEqual([]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function openTwinBenchOrThrow(env: Readonly<Record<string, string>>): Promise<void> {
  const bench = await openTwinBench(await openToolchain(), [], { driver: "podman", env });
  await bench[Symbol.asyncDispose]();
}
