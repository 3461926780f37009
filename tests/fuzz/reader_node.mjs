// How Node's http parser reads what is sent here. A line of JSON when a
// connection ends: the peer's port, and each request that came whole.
import http from "node:http";

const server = http.createServer({ maxHeaderSize: 1 << 18 });
server.maxHeadersCount = 0;

const text = (bytes) => Buffer.from(bytes, "latin1").toString("base64");

function record(req, res) {
  const body = [];
  req.on("data", (d) => body.push(d));
  req.on("error", () => {});
  req.on("end", () => {
    if (!req.complete) return;
    req.socket.seen.push({
      method: req.method,
      target: text(req.url),
      fields: req.rawHeaders.map(text),
      body: Buffer.concat(body).toString("base64"),
    });
    res.end();
  });
}

server.on("request", record);
server.on("checkContinue", record);
server.on("checkExpectation", record);
server.on("connection", (socket) => {
  socket.seen = [];
  const port = socket.remotePort;
  socket.on("close", () => console.log(JSON.stringify({ port, seen: socket.seen })));
});
server.on("clientError", (error, socket) => socket.destroy());
process.stdin.on("end", () => process.exit(0)).resume();
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
