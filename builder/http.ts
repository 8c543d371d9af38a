/** The only door to HTTP. A response is a status and a stream of bytes with a size limit and a time limit. */
export type HttpRequest = {
  readonly url: string;
  readonly maxBytes: number;
  /** Time in which something must arrive: for the answer, and between two pieces of it. */
  readonly timeoutMs: number;
  /** Asks for the rest of a file from this byte on. */
  readonly fromByte?: number;
  readonly signal?: AbortSignal;
};
export type HttpResponse = {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
  readonly sizeBytes?: number;
};
export type Http = (request: HttpRequest) => Promise<HttpResponse>;

/** Makes the real client. Errors of the connection are thrown as they come; a body over its limit throws. */
export function createHttp(): Http {
  return async ({ url, maxBytes, timeoutMs, fromByte, signal }) => {
    const stalled = new AbortController();
    let timer = setTimeout(() => stalled.abort(new Error("the server sent nothing for too long")), timeoutMs);
    const touch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(new Error("the server sent nothing for too long")), timeoutMs);
    };
    try {
      const response = await fetch(url, {
        signal: signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]),
        redirect: "follow",
        ...(fromByte === undefined || fromByte === 0 ? {} : { headers: { range: `bytes=${fromByte}-` } }),
      });
      touch();
      const length = response.headers.get("content-length");
      return {
        status: response.status,
        body: limited(response.body, maxBytes, touch, () => clearTimeout(timer)),
        ...(length === null ? {} : { sizeBytes: Number(length) }),
      };
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  };
}

async function* limited(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  touch: () => void,
  done: () => void,
): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  try {
    if (body === null) return;
    for await (const chunk of body) {
      touch();
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
      yield chunk;
    }
  } finally {
    done();
  }
}

/** A small answer as text. */
export async function fetchText(http: Http, url: string, maxBytes: number): Promise<{ status: number; text: string }> {
  const { status, body } = await http({ url, maxBytes, timeoutMs: 30_000 });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return { status, text: Buffer.concat(chunks).toString("utf8") };
}
