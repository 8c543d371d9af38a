#!/usr/bin/env node
// Plain JavaScript for any Node from 20 on: answers --version at once, finds a Node that can run the rest, starts it.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import module, { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import v8 from "node:v8";

const OLDEST_NODE = 24; // runs TypeScript as it is
const bin = realpathSync(fileURLToPath(import.meta.url));
const packageRoot = dirname(dirname(bin));
const argv = process.argv.slice(2);

if (argv[0] === "--version" || argv[0] === "-V") {
  process.stdout.write(`${JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).version}\n`);
} else if (Number(process.versions.node.split(".")[0]) >= OLDEST_NODE) {
  keepCompiled();
  // Without it Node lets ever more garbage lie before it looks: 209 MB instead of 134 for fetching 700 files.
  v8.setFlagsFromString("--semi-space-growth-factor=1");
  const { main } = await import(pathToFileURL(entryPath()).href);
  process.exitCode = await main(argv, { packageRoot });
} else {
  handOver(bundledNode());
}

/** Node keeps what it compiled in the user's own cache: a third less memory, and a faster start. */
function keepCompiled() {
  const { HOME, XDG_CACHE_HOME } = process.env;
  const base = XDG_CACHE_HOME?.startsWith("/")
    ? XDG_CACHE_HOME
    : HOME?.startsWith("/")
      ? join(HOME, ".cache")
      : undefined;
  if (base !== undefined) module.enableCompileCache?.(join(base, "twinseal", "node"));
}

/** The TypeScript of a checkout; below node_modules, where Node strips no types, or without it, the bundle. */
function entryPath() {
  const source = join(packageRoot, "cli", "main.ts");
  const bundle = join(packageRoot, "dist", "cli.js");
  const installed = packageRoot.split(sep).includes("node_modules");
  if (installed || !existsSync(source)) return bundle;
  return existsSync(join(packageRoot, "node_modules")) || !existsSync(bundle) ? source : bundle;
}

function bundledNode() {
  const name = `node-linux-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const node = join(dirname(manifest), "bin", "node");
    if (existsSync(node)) return node;
  } catch {
    // not installed: said below
  }
  process.stderr.write(
    `twinseal: this is Node ${process.versions.node}, and the Node that the project brings (${name}) is not installed\n` +
      `hint: run npm ci in ${packageRoot}, or install Node ${OLDEST_NODE} or newer\n`,
  );
  process.exit(2);
}

/** Becomes the other Node where this one can (execve), else stays as its parent and passes signals and exit code on. */
function handOver(node) {
  const args = [bin, ...argv];
  if (typeof process.execve === "function") process.execve(node, [node, ...args], process.env);
  // The child must not outlive us, not even when we are killed.
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  const command = setpriv === undefined ? [node, ...args] : [setpriv, "--pdeathsig", "KILL", "--", node, ...args];
  const child = spawn(command[0], command.slice(1), { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`twinseal: starting ${node}: ${error.message}\nhint: run npm ci in ${packageRoot}\n`);
    process.exit(3);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 3);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
