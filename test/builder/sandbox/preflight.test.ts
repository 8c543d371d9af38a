import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runProcess } from "../../../builder/process.ts";
import { toolPath, tryUserNamespaces } from "../../../builder/sandbox/preflight.ts";
import { judgeUserNamespaces, type KernelSettings } from "../../../builder/sandbox/user-namespaces.ts";

const plain: KernelSettings = { apparmorRestricts: false, maxUserNamespaces: 1000, cloneForbidden: false };
const judge = (stderr: string, settings: Partial<KernelSettings> = {}) =>
  judgeUserNamespaces({ code: 1, stderr }, { ...plain, ...settings });

describe("why user namespaces are refused is read from unshare's words and the settings", () => {
  test("exit code 0 is no refusal, whatever was said", () => {
    expect(judgeUserNamespaces({ code: 0, stderr: "warning" }, plain)).toBeUndefined();
  });

  test("a refused uid_map under Ubuntu's restriction names the AppArmor setting and its cure", () => {
    const refusal = judge("unshare: write failed /proc/self/uid_map: Operation not permitted", {
      apparmorRestricts: true,
    });
    expect(refusal).toMatchObject({
      cause: "apparmor",
      fix: expect.stringContaining("kernel.apparmor_restrict_unprivileged_userns=0"),
    });
  });

  test("a refused uid_map elsewhere does not blame AppArmor", () => {
    expect(judge("unshare: write failed /proc/self/uid_map: Operation not permitted")?.cause).toBe("uid-map");
  });

  test("no namespace left, a kernel without them, a forbidden clone and a filter are told apart", () => {
    expect(judge("unshare: unshare failed: No space left on device")?.cause).toBe("max-user-namespaces");
    expect(judge("unshare: unshare failed: Operation not permitted", { maxUserNamespaces: 0 })?.cause).toBe(
      "max-user-namespaces",
    );
    expect(judge("unshare: unshare failed: Function not implemented")?.cause).toBe("unsupported");
    expect(judge("unshare: unshare failed: Operation not permitted", { cloneForbidden: true })?.cause).toBe(
      "clone-forbidden",
    );
    expect(judge("unshare: unshare failed: Operation not permitted")?.cause).toBe("forbidden");
    expect(judge("unshare: mount /proc failed: Operation not permitted")?.cause).toBe("proc-masked");
  });

  test("words that nobody foresaw are a refusal, never a pass", () => {
    expect(judge("something new")).toMatchObject({ cause: "unknown", reason: "something new" });
    expect(judgeUserNamespaces({ code: null, stderr: "" }, plain)?.cause).toBe("unknown");
  });
});

/** Runs `doctor --json` below a command that takes something away from it. */
async function doctorBelow(prefix: readonly [string, ...string[]]) {
  const bin = join(import.meta.dirname, "../../../cli/bin.js");
  return runProcess([...prefix, process.execPath, bin, "doctor", "--json"], {
    env: { PATH: toolPath, HOME: "/nowhere" },
    timeoutMs: 60_000,
  });
}

describe("really refused", () => {
  test("a uid_map that the kernel refuses to write: doctor says so and ends with 3, or names another way", async (ctx) => {
    if ((await tryUserNamespaces()) !== undefined) ctx.skip("user namespaces are refused here already");
    // Without CAP_SETFCAP root of a user namespace may not map root again (Linux 5.12).
    const ended = await doctorBelow(["unshare", "--user", "--map-root-user", "setpriv", "--bounding-set", "-setfcap"]);
    expect(ended.stdout).toContain("write failed /proc/self/uid_map");
    const { findings, code } = JSON.parse(ended.stdout);
    const otherWay = findings.some(
      (finding: { id: string; state: string }) =>
        ["sudo", "docker", "podman"].includes(finding.id) && finding.state === "yes",
    );
    expect(code).toBe(otherWay ? "able" : "unable");
    expect(ended.code).toBe(otherWay ? 0 : 3);
  });

  test("no user namespace allowed: doctor names the setting", async (ctx) => {
    if ((await tryUserNamespaces()) !== undefined) ctx.skip("user namespaces are refused here already");
    const ended = await doctorBelow([
      "unshare",
      "--user",
      "--map-root-user",
      "--",
      "sh",
      "-c",
      'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"',
      "sh",
    ]);
    expect(ended.stdout).toContain("user.max_user_namespaces");
  });
});
