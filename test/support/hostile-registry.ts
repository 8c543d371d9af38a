import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { MadeBlob } from "./image-maker.ts";

export type Asked = { readonly path: string; readonly headers: IncomingHttpHeaders };
export type Answer = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** The connection breaks after so many bytes. */
  readonly cutAfterBytes?: number;
};

/** Serves manifests and blobs of any repository by digest or tag, as a registry does, unless told to lie. */
export type HostileRegistry = AsyncDisposable & {
  /** host:port */
  readonly registry: string;
  readonly url: string;
  readonly asked: Asked[];
  readonly blobs: Map<string, MadeBlob>;
  /** Answers instead; undefined is the honest answer. */
  lie: (asked: Asked, honest: Answer) => Answer | undefined;
};

export async function openHostileRegistry(blobs: readonly MadeBlob[] = []): Promise<HostileRegistry> {
  const asked: Asked[] = [];
  const known = new Map<string, MadeBlob>();
  for (const blob of blobs) known.set(`sha256:${blob.sha256}`, blob);
  const server = createServer((request, response) => {
    const question = { path: request.url ?? "/", headers: request.headers };
    asked.push(question);
    const name = /^\/v2\/.+\/(?:manifests|blobs)\/([^/?]+)$/.exec(question.path)?.[1];
    const found = name === undefined ? undefined : known.get(name);
    const honest: Answer =
      found === undefined
        ? { status: 404, body: '{"errors":[{"code":"NOT_FOUND"}]}' }
        : {
            headers: { "content-type": found.mediaType, "docker-content-digest": `sha256:${found.sha256}` },
            body: found.bytes,
          };
    const { status = 200, headers = {}, body = "", cutAfterBytes } = opened.lie(question, honest) ?? honest;
    const bytes = Buffer.from(body);
    response.writeHead(status, { "content-length": bytes.length, ...headers });
    if (cutAfterBytes === undefined) response.end(bytes);
    else response.write(bytes.subarray(0, cutAfterBytes), () => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const registry = `127.0.0.1:${address.port}`;
  const opened: HostileRegistry = {
    registry,
    url: `http://${registry}`,
    asked,
    blobs: known,
    lie: () => undefined,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return opened;
}
