import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { runProcess } from "../../../builder/process.ts";
import { toolPath, tryUserNamespaces } from "../../../builder/sandbox/preflight.ts";
import { openEngine } from "../../support/engines.ts";
import { repository } from "../../support/toolchain.ts";

/** Without CAP_SETFCAP root of a user namespace may not map root again (Linux 5.12); without new privileges sudo gives up. */
const takeaway = ["--bounding-set", "-setfcap", "--no-new-privs"] as const;
const refusing = ["unshare", "--user", "--map-root-user", "setpriv", ...takeaway] as const;

async function openAny(prefix: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const [program, ...rest] = [...prefix, process.execPath, join(repository, "test/support/open-any.ts")];
  const result = await runProcess([program ?? "", ...rest, JSON.stringify(env)], {
    env: {
      PATH: toolPath,
      HOME: homedir(),
      ...keep("GOPROXY", "TWINSEAL_CACHE", "XDG_CACHE_HOME", "NODE_EXTRA_CA_CERTS"),
    },
    timeoutMs: 280_000,
  });
  if (result.code !== 0) throw new Error(result.stderr);
  return result.stdout.trim();
}

function keep(...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

async function skipUnlessRefusable(context: TestContext): Promise<void> {
  if ((await tryUserNamespaces()) !== undefined) context.skip("user namespaces are refused here already");
}

describe("without --driver", () => {
  it("namespaces are taken where they work, whatever engine there is", async (context) => {
    if ((await tryUserNamespaces()) !== undefined) context.skip("user namespaces are refused here");
    expect(await openAny([], {})).toBe("namespaces");
  });

  it("docker takes over where the kernel refuses them", async (context) => {
    await skipUnlessRefusable(context);
    const engine = await openEngine("docker");
    if (typeof engine === "string") return context.skip(engine);
    await using _ = engine;
    expect(await openAny(refusing, engine.env)).toBe("docker");
  });

  it("the refusal is namespaces' own where no engine answers either, and the hint names both ways", async (context) => {
    await skipUnlessRefusable(context);
    const said = await openAny(refusing, { PATH: "/nowhere" });
    expect(said).toContain("NAMESPACES_REFUSED");
    expect(said).toContain("or let a container engine do it");
  });
});
