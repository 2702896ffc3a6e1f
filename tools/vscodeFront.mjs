// The web front of VS Code's server: what its workbench expects of the site that serves it and the bare server does not
// answer. Node built-ins only.
//   POST /mint-key    half of the key that SecretStorage encrypts with; without it secrets are forgotten on reload
//   /proxy/PORT/...   a program on this machine, as `env.asExternalUri("http://127.0.0.1:PORT/")` addresses it
//   anything else     VS Code's server
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";

/** VS Code's server key is one AES-256 key (ServerKeyedAESCrypto in its workbench). */
const SECRET_KEY_BYTES = 32;

/**
 * @param {{port: number, target: number, keyFile: string, token?: string}} options port: 0 is any free one; target: VS Code's
 *   server; token: its connection token, without whose cookie the two routes of our own answer 403
 * @returns {Promise<{port: number, close: () => void}>} rejects with EADDRINUSE if the port is taken
 */
export async function startFront({ port, target, keyFile, token }) {
  const allowed = (request) => !token || (request.headers.cookie ?? "").includes(`vscode-tkn=${token}`);
  const server = http.createServer((request, response) => {
    const own = ownRoute(request.url ?? "/");
    if (own && !allowed(request)) return void response.writeHead(403).end();
    if (own?.route === "mint-key") return void response.writeHead(200).end(secretKey(keyFile));
    forward(request, response, own?.port ?? target, own?.path ?? request.url ?? "/");
  });
  server.on("upgrade", (request, socket, head) => tunnel(request, socket, head, target));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: /** @type {net.AddressInfo} */ (server.address()).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function ownRoute(url) {
  if (/^\/mint-key\b/.test(url)) return { route: "mint-key" };
  const proxied = /^\/proxy\/(\d{1,5})(\/.*)?$/.exec(url);
  return proxied ? { route: "proxy", port: Number(proxied[1]), path: proxied[2] ?? "/" } : undefined;
}

function secretKey(file) {
  if (!existsSync(file)) writeFileSync(file, randomBytes(SECRET_KEY_BYTES), { mode: 0o600 });
  return readFileSync(file);
}

function forward(request, response, port, path) {
  const { method, headers } = request;
  const onward = http.request({ host: "127.0.0.1", port, path, method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}

/** A WebSocket of the workbench: the request is sent on as it came, then bytes flow both ways. */
function tunnel(request, socket, head, port) {
  const onward = net.connect({ host: "127.0.0.1", port, noDelay: true }, () => {
    const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    }
    onward.write(`${lines.join("\r\n")}\r\n\r\n`);
    onward.write(head);
    socket.pipe(onward).pipe(socket);
  });
  for (const [one, other] of [
    [socket, onward],
    [onward, socket],
  ]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}
