import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { fileURLToPath } from "node:url";
import { TwinsealError, messageOf, systemCodeOf } from "./errors.ts";

/** `fromByte` asks for the rest of a file: 206 then means that the body starts there, 200 that it starts at 0. */
export type HttpRequest = {
  readonly url: string;
  /** Of this body; more of it is `world/HTTP_TOO_LARGE`. */
  readonly maxBytes: number;
  /** For the whole exchange, body included. */
  readonly timeoutMs: number;
  readonly fromByte?: number;
  /** Media types that the answer may have; any if absent. */
  readonly accept?: string;
  /** Value of the Authorization header. A secret: no error holds it, and it never goes to another origin at a redirect. */
  readonly authorization?: string;
  readonly signal?: AbortSignal | undefined;
};
/** The body must be read or, for 200 and 206, its iterator returned; of another status it is the first 16 KiB. */
export type HttpResponse = {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
  /** Of this body, where the server says so. */
  readonly sizeBytes?: number;
  /** By lower-case name; one that came twice is joined by commas. Only what was asked over HTTP has them. */
  readonly headers?: Readonly<Record<string, string>>;
};
/** GET of an http(s) or file URL. Throws `world/NETWORK` for all that has no status. */
export type Http = (request: HttpRequest) => Promise<HttpResponse>;

export type HttpOptions = {
  /** A connection that is silent this long is given up; 30 s if absent. */
  readonly stallMs?: number;
  readonly maxConnections?: number;
  /** Where HTTPS_PROXY, HTTP_PROXY and NO_PROXY are looked up; none if absent. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
};

const MAX_REDIRECTS = 5;
const MAX_FAULT_BYTES = 16 << 10;

export function createHttp(options: HttpOptions = {}): Http {
  const stallMs = options.stallMs ?? 30_000;
  const agentOptions = {
    keepAlive: true,
    maxSockets: options.maxConnections ?? 24,
    ...(options.proxyEnv === undefined ? {} : { proxyEnv: { ...options.proxyEnv } }),
  };
  const agents: Agents = { http: new HttpAgent(agentOptions), https: httpsAgent(agentOptions) };
  return async (request) => {
    const url = parseUrl(request.url);
    if (url.protocol === "file:") return readLocal(url, request);
    const deadline = AbortSignal.timeout(request.timeoutMs);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
    const { fromByte = 0, accept, authorization } = request;
    const wire = { agents, stallMs, fromByte, accept, authorization, signal };
    return receive(await follow(url, wire), request);
  };
}

/**
 * Trusts what Node trusts and, as other tools do, what this machine's administrator trusts. Nothing that is fetched is
 * believed for it.
 */
function httpsAgent(options: ConstructorParameters<typeof HttpsAgent>[0]): () => HttpsAgent {
  let agent: HttpsAgent | undefined;
  return () => (agent ??= new HttpsAgent({ ...options, secureContext: trustedContext() }));
}

/** Made once: parsing some hundred certificates takes 0.1 s. */
function trustedContext(): SecureContext {
  return createSecureContext({ ca: [...new Set([...getCACertificates("default"), ...getCACertificates("system")])] });
}

type Agents = { readonly http: HttpAgent; readonly https: () => HttpsAgent };
type Wire = {
  readonly agents: Agents;
  readonly stallMs: number;
  readonly fromByte: number;
  readonly accept: string | undefined;
  readonly authorization: string | undefined;
  readonly signal: AbortSignal;
};

async function follow(first: URL, firstWire: Wire): Promise<IncomingMessage> {
  let url = first;
  let wire = firstWire;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const response = await send(url, wire);
    const { location } = response.headers;
    if (location === undefined || ![301, 302, 303, 307, 308].includes(response.statusCode ?? 0)) return response;
    response.destroy();
    const next = parseUrl(new URL(location, url).href);
    if (next.protocol !== "https:" && next.protocol !== url.protocol)
      throw networkError(url, `redirected to ${next.protocol}`);
    if (next.origin !== url.origin) wire = { ...wire, authorization: undefined };
    url = next;
  }
  throw networkError(first, `redirected more than ${MAX_REDIRECTS} times`);
}

function send(url: URL, wire: Wire): Promise<IncomingMessage> {
  const { agents, stallMs, fromByte, accept, authorization, signal } = wire;
  const headers = {
    "user-agent": "twinseal",
    "accept-encoding": "identity", // digests are of the bytes as published
    ...(fromByte > 0 ? { range: `bytes=${fromByte}-` } : {}),
    ...(accept === undefined ? {} : { accept }),
    ...(authorization === undefined ? {} : { authorization }),
  };
  return new Promise((resolve, reject) => {
    const shared = { headers, timeout: stallMs, signal };
    const request =
      url.protocol === "https:"
        ? requestHttps(url, { ...shared, agent: agents.https() })
        : requestHttp(url, { ...shared, agent: agents.http });
    request.on("timeout", () => request.destroy(new Error(`no data for ${stallMs / 1000} s`)));
    request.on("response", resolve);
    request.on("error", (error) => {
      // The server may close a kept connection just as we reuse it: that says nothing about the network.
      if (request.reusedSocket && systemCodeOf(error) === "ECONNRESET" && !signal.aborted) resolve(send(url, wire));
      else reject(networkError(url, reasonOf(error, signal), error));
    });
    request.end();
  });
}

async function receive(response: IncomingMessage, request: HttpRequest): Promise<HttpResponse> {
  const status = response.statusCode ?? 0;
  const url = parseUrl(request.url);
  const headers = headersOf(response);
  if (status !== 200 && status !== 206) return { status, headers, body: oneChunk(await firstBytes(response)) };
  const fromByte = request.fromByte ?? 0;
  if (status === 206 && !response.headers["content-range"]?.startsWith(`bytes ${fromByte}-`)) {
    response.destroy();
    throw networkError(url, "the server answered with another range");
  }
  const length = response.headers["content-length"];
  const sizeBytes = length === undefined ? undefined : Number(length);
  if (sizeBytes !== undefined && sizeBytes > request.maxBytes) {
    response.destroy();
    throw tooLarge(url, request.maxBytes);
  }
  const body = limited(response, url, request.maxBytes);
  return { status, headers, body, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}

function headersOf(response: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}

async function* limited(
  response: AsyncIterable<unknown> & { destroy: () => unknown },
  url: URL,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let receivedBytes = 0;
  try {
    for await (const chunk of response) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError("expected bytes");
      receivedBytes += chunk.length;
      if (receivedBytes > maxBytes) throw tooLarge(url, maxBytes);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof TwinsealError ? error : networkError(url, reasonOf(error), error);
  } finally {
    response.destroy();
  }
}

async function firstBytes(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response) {
      if (chunk instanceof Uint8Array) chunks.push(chunk);
      sizeBytes += chunks.at(-1)?.length ?? 0;
      if (sizeBytes > MAX_FAULT_BYTES) break;
    }
  } catch {
    // the status is the answer; its text is only for people
  }
  return Buffer.concat(chunks).subarray(0, MAX_FAULT_BYTES);
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

async function readLocal(url: URL, request: HttpRequest): Promise<HttpResponse> {
  const path = fileURLToPath(url);
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) return { status: 404, body: oneChunk(new Uint8Array()) };
  const start = Math.min(request.fromByte ?? 0, info.size);
  if (info.size - start > request.maxBytes) throw tooLarge(url, request.maxBytes);
  const body = limited(createReadStream(path, { start, highWaterMark: 1 << 18 }), url, request.maxBytes);
  return { status: start > 0 ? 206 : 200, body, sizeBytes: info.size - start };
}

/** Text of a small document; server faults and broken connections are tried three times in all. */
export async function fetchText(
  http: Http,
  url: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<{ status: number; text: string }> {
  const { status, bytes } = await fetchBytes(http, { url, maxBytes, timeoutMs: 60_000, signal });
  return { status, text: bytes.toString("utf8") };
}

export type SmallDocument = Omit<HttpResponse, "body" | "sizeBytes"> & { readonly bytes: Buffer };

/** The same with its bytes and headers, tried as often as is said. */
export async function fetchBytes(http: Http, request: HttpRequest, attempts = 3): Promise<SmallDocument> {
  const { signal } = request;
  for (let attempt = 1; ; attempt++) {
    try {
      const { body, sizeBytes: _, ...answer } = await http(request);
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      if (answer.status < 500 || attempt === attempts) return { ...answer, bytes: Buffer.concat(chunks) };
    } catch (error) {
      if (!isNetworkError(error) || attempt === attempts || signal?.aborted === true) throw error;
    }
    await sleep(attempt * 300, undefined, signal === undefined ? {} : { signal });
  }
}

export function isNetworkError(error: unknown): boolean {
  return error instanceof TwinsealError && error.code === "NETWORK";
}

/** A URL for messages: without user name, password and query, which may hold a secret. */
export function publicUrl(url: string | URL): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new TwinsealError("caller", "URL_INVALID", "this is not a URL", {
      hint: "look at GOPROXY and at the recipe",
    });
  const url = new URL(text);
  if (["http:", "https:", "file:"].includes(url.protocol)) return url;
  throw new TwinsealError("caller", "URL_INVALID", `${url.protocol} is no protocol to fetch with`, {
    hint: "use https",
  });
}

function reasonOf(error: unknown, signal?: AbortSignal): string {
  const reason: unknown = signal?.aborted === true ? signal.reason : error;
  if (reason instanceof Error && reason.name === "TimeoutError") return "it took too long";
  // Both address families refused: the errors are inside, and the message is empty.
  if (reason instanceof AggregateError) return reason.errors.map(messageOf).join("; ");
  return messageOf(reason);
}

function networkError(url: URL, reason: string, cause?: unknown): TwinsealError {
  return new TwinsealError("world", "NETWORK", `${publicUrl(url)}: ${reason}`, { hint: "check the network", cause });
}

function tooLarge(url: URL, maxBytes: number): TwinsealError {
  return new TwinsealError("world", "HTTP_TOO_LARGE", `${publicUrl(url)}: more than ${maxBytes} bytes`);
}
