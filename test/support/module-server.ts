import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export type Request = { readonly path: string; readonly range: string | undefined };

/** Faults that a real module proxy cannot be asked for. */
export type Faults = {
  /** The connection breaks after so many bytes of a body. */
  cutAfterBytes?: number | undefined;
  /** One bit of every body is another. */
  flipBit?: boolean;
  /** Pause between chunks of 64 KiB. */
  pauseMs?: number;
  /** Answer with this status. */
  status?: number | undefined;
  /** Ranges are ignored, as some servers do. */
  noRanges?: boolean;
};

/** Serves bytes by path over real HTTP, with faults that can be changed while it runs. */
export type ModuleServer = AsyncDisposable & {
  readonly url: string;
  readonly requests: Request[];
  readonly faults: Faults;
};

export async function openModuleServer(files: Readonly<Record<string, Uint8Array>>): Promise<ModuleServer> {
  const requests: Request[] = [];
  const faults: Faults = {};
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    requests.push({ path, range: request.headers.range });
    const bytes = files[path];
    if (faults.status !== undefined) return void response.writeHead(faults.status).end();
    if (bytes === undefined) return void response.writeHead(404).end();
    const body = Buffer.from(bytes);
    if (faults.flipBit === true) body.writeUInt8(body.readUInt8(body.length >> 1) ^ 1, body.length >> 1);
    const start = faults.noRanges === true ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (start > 0)
      response.writeHead(206, {
        "content-range": `bytes ${start}-${body.length - 1}/${body.length}`,
        "content-length": body.length - start,
      });
    else response.writeHead(200, { "content-length": body.length });
    void (async () => {
      for (let at = start; at < body.length; at += 1 << 16) {
        const { cutAfterBytes } = faults;
        if (cutAfterBytes !== undefined && at - start >= cutAfterBytes) return response.destroy();
        if (!response.write(body.subarray(at, at + (1 << 16)))) await once(response, "drain");
        if (faults.pauseMs !== undefined) await sleep(faults.pauseMs);
      }
      return response.end();
    })().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    faults,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
