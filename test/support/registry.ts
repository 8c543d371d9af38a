import { spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createSocket } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runProcess } from "../../builder/process.ts";
import type { MadeBlob } from "./image-maker.ts";

const VERSION = "v3.1.2";

/** The reference registry (github.com/distribution/distribution) on loopback, which wants a token for everything. */
export type Registry = AsyncDisposable & {
  /** host:port */
  readonly registry: string;
  /** Puts blobs, then manifests, the last one under a tag too. */
  readonly push: (
    repository: string,
    blobs: readonly MadeBlob[],
    manifests: readonly MadeBlob[],
    tag?: string,
  ) => Promise<void>;
  /** Scopes that the token server was asked for, with the Authorization header that came with it. */
  readonly asked: { readonly scope: string | null; readonly authorization: string | undefined }[];
  /** Whose password the token server wants; anyone may pull if absent. */
  password: string | undefined;
};

/** A string says why there is none. */
export async function openRegistry(): Promise<Registry | string> {
  const program = await findProgram();
  if (!program.startsWith("/")) return program;
  const dir = await mkdtemp(join(tmpdir(), "twinseal-registry-"));
  const port = await freePort();
  const registry = `127.0.0.1:${port}`;
  const tokens = await openTokenServer(registry);
  await writeFile(join(dir, "jwks.json"), JSON.stringify({ keys: [tokens.jwk] }));
  await writeFile(
    join(dir, "config.yml"),
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${dir}/data}}
http: {addr: "${registry}"}
auth:
  token: {realm: "${tokens.url}/token", service: ${registry}, issuer: test, jwks: ${dir}/jwks.json, signingalgorithms: [ES256]}
`,
  );
  const child = spawn(program, ["serve", join(dir, "config.yml")], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { OTEL_TRACES_EXPORTER: "none" },
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const close = async () => {
    child.kill("SIGKILL");
    tokens.close();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await untilUp(`http://${registry}/v2/`, () => (child.exitCode === null ? undefined : said));
  } catch (error) {
    await close();
    throw error;
  }
  const push: Registry["push"] = async (repository, blobs, manifests, tag) => {
    const base = `http://${registry}/v2/${repository}`;
    const headers = { authorization: `Bearer ${tokens.issue(repository, ["pull", "push"])}` };
    for (const { sha256, bytes } of blobs) {
      const started = await must(fetch(`${base}/blobs/uploads/`, { method: "POST", headers }));
      const place = new URL(started.headers.get("location") ?? "", base);
      place.searchParams.set("digest", `sha256:${sha256}`);
      await must(fetch(place, { method: "PUT", headers, body: new Uint8Array(bytes) }));
    }
    const names = manifests.map((manifest) => [`sha256:${manifest.sha256}`, manifest] as const);
    const last = manifests.at(-1);
    for (const [name, { bytes, mediaType }] of [
      ...names,
      ...(tag === undefined || last === undefined ? [] : [[tag, last] as const]),
    ]) {
      const typed = { ...headers, "content-type": mediaType };
      await must(fetch(`${base}/manifests/${name}`, { method: "PUT", headers: typed, body: new Uint8Array(bytes) }));
    }
  };
  return Object.assign(tokens.state, { registry, push, [Symbol.asyncDispose]: close });
}

async function must(sent: Promise<Response>): Promise<Response> {
  const response = await sent;
  if (response.ok) return response;
  throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
}

/** Issues what distribution's docs/spec/auth/jwt.md describes; the requested scope is granted for pulling. */
async function openTokenServer(service: string) {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "test-key", alg: "ES256", use: "sig" };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const issue = (name: string, actions: readonly string[]) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: "test",
      sub: "",
      aud: service,
      exp: now + 300,
      nbf: now - 10,
      iat: now,
      jti: randomUUID(),
      access: [{ type: "repository", name, actions }],
    };
    const text = `${part({ typ: "JWT", alg: "ES256", kid: "test-key" })}.${part(claims)}`;
    const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${text}.${signature.toString("base64url")}`;
  };
  const state: { asked: Registry["asked"]; password: string | undefined } = { asked: [], password: undefined };
  const server = createServer((request, response) => {
    const scope = new URL(request.url ?? "/", "http://localhost").searchParams.get("scope");
    const { authorization } = request.headers;
    state.asked.push({ scope, authorization });
    if (state.password !== undefined && authorization !== `Basic ${state.password}`)
      return void response.writeHead(401).end();
    const name = /^repository:(.+):pull$/.exec(scope ?? "")?.[1];
    response.end(JSON.stringify({ token: issue(name ?? "", name === undefined ? [] : ["pull"]) }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}`, jwk, issue, state, close: () => server.close() };
}

/** Built once for a machine, by the installed Go, from the module proxy. */
async function findProgram(): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "twinseal-test");
  const program = join(cache, `registry-${VERSION}`);
  const isThere = await access(program).then(
    () => true,
    () => false,
  );
  if (isThere) return program;
  const built = join(cache, randomUUID());
  await mkdir(built, { recursive: true });
  try {
    const result = await runProcess(
      ["go", "install", `github.com/distribution/distribution/v3/cmd/registry@${VERSION}`],
      { cwd: built, env: { ...goEnvironment(), GOBIN: built, CGO_ENABLED: "0" }, timeoutMs: 1_500_000 },
    ).catch((error: unknown) => `no Go to build a registry with: ${String(error)}`);
    if (typeof result === "string") return result;
    if (result.code !== 0) return `the registry cannot be built: ${result.stderr.trim().split("\n").at(-1) ?? ""}`;
    await rename(join(built, "registry"), program);
    return program;
  } finally {
    await rm(built, { recursive: true, force: true });
  }
}

function goEnvironment(): Record<string, string> {
  return Object.fromEntries(
    ["PATH", "HOME", "GOPROXY", "GOCACHE", "GOMODCACHE", "GOFLAGS", "HTTPS_PROXY", "SSL_CERT_FILE"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function freePort(): Promise<number> {
  const socket = createSocket();
  socket.listen(0, "127.0.0.1");
  await once(socket, "listening");
  const address = socket.address();
  socket.close();
  await once(socket, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function untilUp(url: string, hasEnded: () => string | undefined): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const ended = hasEnded();
    if (ended !== undefined) throw new Error(`the registry ended: ${ended}`);
    const up = await fetch(url).then(
      () => true,
      () => false,
    );
    if (up) return;
    await sleep(50);
  }
  throw new Error("the registry does not answer");
}
