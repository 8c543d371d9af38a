import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";

/** Runs a program of the project with its output shown; resolves with its exit code, 127 when it does not start. */
export function runStep(argv: readonly [string, ...string[]], cwd = process.cwd()): Promise<number> {
  const [file, ...args] = argv;
  const bin = join(process.cwd(), "node_modules", ".bin");
  const child = spawn(file, args, {
    cwd,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` },
  });
  return new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(`${file}: ${error.message}`);
      resolve(127);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
}
