// Process-level equivalents of the CHP specs that cannot run against another process.
import { spawn } from "node:child_process";
import { ConfigurableProxy } from "../lib/configproxy.js";
import fetch from "node-fetch";

const pause = (ms) => new Promise((r) => setTimeout(r, ms));

describe("External equivalents", function () {
  const port = 8902;
  const api = "http://127.0.0.1:8903/api/routes";
  const auth = { Authorization: "token secret" };
  let proxy;

  beforeEach(async function () {
    proxy = new ConfigurableProxy({ authToken: "secret" });
    const up = new Promise((r) => proxy.apiServer.on("listening", r));
    proxy.proxyServer.listen(port, "127.0.0.1");
    proxy.apiServer.listen(port + 1, "127.0.0.1");
    await up;
  });
  afterEach((done) => proxy.proxyServer.close(done));

  it("inactiveSince and inactive_since filter by last_activity", async function () {
    await proxy.addRoute("/old", { target: "http://127.0.0.1:1" });
    await pause(60);
    const middle = new Date().toISOString();
    await pause(60);
    await proxy.addRoute("/new", { target: "http://127.0.0.1:1" });
    for (const name of ["inactiveSince", "inactive_since"]) {
      const ask = async (t) =>
        Object.keys(await (await fetch(`${api}?${name}=${encodeURIComponent(t)}`, { headers: auth })).json()).sort();
      expect(await ask(new Date(1).toISOString())).toEqual([]);
      expect(await ask(middle)).toEqual(["/old"]);
      expect(await ask(new Date(Date.now() + 3600e3).toISOString())).toEqual(["/new", "/old"]);
      const bad = await fetch(`${api}?${name}=endoftheuniverse`, { headers: auth });
      expect(bad.status).toBe(400);
    }
  });

  it("requests without the token, or with a wrong one, get 403", async function () {
    expect((await fetch(api)).status).toBe(403);
    expect((await fetch(api, { headers: { Authorization: "token wrong" } })).status).toBe(403);
    expect((await fetch(api, { headers: auth })).status).toBe(200);
  });

  it("an unknown storage backend ends the process with an error", async function () {
    const child = spawn(process.env.CONFORMANCE_PROGRAM, [
      "--ip", "127.0.0.1", "--port", "8922", "--api-ip", "127.0.0.1", "--api-port", "8923",
      "--storage-backend", "mybackend",
    ]);
    const code = await new Promise((r) => {
      const limit = setTimeout(() => child.kill("SIGKILL"), 5000);
      child.on("exit", (c) => {
        clearTimeout(limit);
        r(c);
      });
    });
    expect(code).toBeGreaterThan(0);
  });
});
