/** A static server for the tests: one folder below one path, on a loopback port. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".safetensors": "application/octet-stream",
};

/**
 * @param {string} folder
 * @param {string} base the path it is served below, with both slashes
 * @param {RegExp} [refused] files that are answered as if they were missing
 * @returns {Promise<{url: string, served: Map<string, Buffer>, close: () => Promise<void>}>}
 *   `served` holds each file handed out so far, by its path
 */
export async function serve(folder, base, refused) {
  /** @type {Map<string, Buffer>} */
  const served = new Map();
  const server = createServer(async (request, response) => {
    const file = fileOf(folder, base, request.url ?? "");
    const body = file && !refused?.test(file) && (await readFile(file).catch(() => undefined));
    if (!body) return response.writeHead(404, { "content-type": "text/plain" }).end("not found");
    served.set(file, body);
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}${base}`,
    served,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

/**
 * @param {string} folder @param {string} base @param {string} url
 * @returns {string | undefined} nothing for a path outside the base or the folder, or one that is no path
 */
export function fileOf(folder, base, url) {
  let path;
  try {
    path = decodeURIComponent(url.split(/[?#]/)[0]);
  } catch {
    return undefined;
  }
  if (!path.startsWith(base) || path.includes("\0")) return undefined;
  const rest = path.slice(base.length) || "index.html";
  const file = normalize(join(folder, rest));
  return file.startsWith(normalize(folder + sep)) ? file : undefined;
}
