// A web server with server-sent events: GET / says where it runs, GET /ticks sends a number every 100 ms.
const http = require("node:http");
const os = require("node:os");

const port = Number(process.env.PORT ?? 3000);

const server = http.createServer((request, response) => {
  if (request.method !== "GET") return void response.writeHead(405).end();
  if (request.url === "/") {
    const body = JSON.stringify({ host: os.hostname(), node: process.version });
    return void response.writeHead(200, { "content-type": "application/json" }).end(`${body}\n`);
  }
  if (request.url === "/ticks") return ticks(response);
  response.writeHead(404).end();
});

function ticks(response) {
  let count = 0;
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const timer = setInterval(() => response.write(`data: ${++count}\n\n`), 100);
  response.on("close", () => clearInterval(timer));
}

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    console.log(`node: stopping on ${signal}`);
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}

server.listen(port, "0.0.0.0", () => console.log(`node: listening on port ${port}`));
