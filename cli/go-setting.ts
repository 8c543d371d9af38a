import { runProcess } from "../builder/process.ts";

/** What an installed go command says GOPROXY is; undefined where there is none. */
export async function goProxySetting(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  try {
    const result = await runProcess(["go", "env", "GOPROXY"], {
      env: { PATH: env["PATH"] ?? "", HOME: env["HOME"] ?? "/", GOTOOLCHAIN: "local" },
      timeoutMs: 10_000,
    });
    const value = result.stdout.trim();
    return result.code === 0 && value !== "" ? value : undefined;
  } catch {
    return undefined; // no go command here: nothing is known
  }
}
