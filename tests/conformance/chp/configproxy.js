// External-process stand-in for the ConfigurableProxy class that CHP's tests import
// from ../lib/configproxy.js.
//
// Nothing is proxied in this process.  Options become command-line flags of the
// executable under test, route changes become REST calls, and property writes that
// the tests make after construction (proxy.includePrefix = false ...) cause the
// executable to be restarted with the matching flags before the next operation.
//
// Environment:
//   CONFORMANCE_PROGRAM   path of the program to start (../chp.py writes one)
//   CONFORMANCE_LOG       optional file that receives the child's stdout + stderr

import { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const SHIM = process.env.CONFORMANCE_PROGRAM || path.resolve("bin/configurable-http-proxy");
const START_LIMIT_MS = 8000;
const liveChildren = new Set();

process.on("exit", () => {
  for (const child of liveChildren) {
    try {
      process.kill(child.pid, "SIGKILL");
    } catch {
      // already gone
    }
  }
});

const delay = (ms) => new Promise((r) => setTimeout(r, ms));

export function cleanPath(p) {
  let out = p.startsWith("/") ? p : "/" + p;
  if (out.length > 1 && out.endsWith("/")) out = out.slice(0, -1);
  return out;
}

function apiPathFor(p) {
  return "/api/routes" + p.split("/").map(encodeURIComponent).join("/");
}

// Same answers as the real function for the argument shapes that the tests use.
export function parseListenOptions(args) {
  const out = {};
  if (args.socket) {
    out.proxyTarget = [args.socket];
  } else {
    out.port = Number.parseInt(args.port) || 8000;
    out.ip = args.ip === "*" ? "" : args.ip;
    out.proxyTarget = [out.port, out.ip];
  }
  if (args.apiSocket) {
    out.apiTarget = [args.apiSocket];
  } else {
    if (args.apiPort) out.apiPort = Number.parseInt(args.apiPort);
    else out.apiPort = out.port ? out.port + 1 : 8001;
    out.apiTarget = [out.apiPort, args.apiIp];
  }
  if (args.metricsSocket) out.metricsTarget = [args.metricsSocket];
  else if (args.metricsPort) out.metricsTarget = [Number.parseInt(args.metricsPort), args.metricsIp];
  return out;
}

// where to connect for a given listen() argument list
function endpoint(listenArgs) {
  if (typeof listenArgs[0] === "string" && !/^\d+$/.test(listenArgs[0])) {
    return { socketPath: listenArgs[0] };
  }
  let host = listenArgs[1];
  if (!host || host === "0.0.0.0" || host === "localhost") host = "127.0.0.1";
  return { host, port: Number(listenArgs[0]) };
}

function canConnect(where) {
  const to = where.socketPath ? { path: where.socketPath } : where;
  return new Promise((resolve) => {
    const s = net.connect(to);
    const settle = (v) => {
      s.destroy();
      resolve(v);
    };
    s.setTimeout(1000, () => settle(false));
    s.once("connect", () => settle(true));
    s.once("error", () => settle(false));
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const s = net.createServer();
    s.once("error", reject);
    s.listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

function plainRequest(where, { method = "GET", path: p, headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request({ ...where, method, path: p, headers, agent: false }, (res) => {
      const parts = [];
      res.on("data", (d) => parts.push(d));
      res.on("end", () =>
        resolve({
          status: res.statusCode,
          headers: res.headers,
          text: Buffer.concat(parts).toString(),
        })
      );
      res.on("error", reject);
    });
    req.setTimeout(8000, () => req.destroy(new Error("no answer in 8 s")));
    req.on("error", reject);
    req.end(body);
  });
}

// What tests use of a net.Server
class ServerFacade extends EventEmitter {
  constructor(owner, role) {
    super();
    this.owner = owner;
    this.role = role;
    this.listening = false;
  }
  listen(...args) {
    this.owner._askListen(this.role, args);
    return this;
  }
  address() {
    const ep = endpoint(this.owner._where[this.role] || []);
    return ep.socketPath || { address: ep.host, port: ep.port };
  }
  close(cb) {
    this.listening = false;
    this.owner._shutdown().then(
      () => cb && cb(),
      (e) => cb && cb(e)
    );
    return this;
  }
  closeAllConnections() {
    // closing means ending the process, which ends its connections
  }
}

// The store interface over REST.  last_activity cannot be written over REST, so a
// write is remembered here and shown until the proxy reports a newer activity of its own.
class RestStore {
  constructor(owner) {
    this.owner = owner;
    this.shown = new Map();
  }
  cleanPath(p) {
    return cleanPath(p);
  }
  _present(p, route) {
    if (route === undefined) return undefined;
    const out = { ...route };
    const mine = this.shown.get(p);
    if (mine && mine.seen === route.last_activity) out.last_activity = mine.value;
    else if (route.last_activity !== undefined) out.last_activity = new Date(route.last_activity);
    return out;
  }
  get(p) {
    p = cleanPath(p);
    return this.owner._op(async () => this._present(p, await this.owner._fetchRoute(p)));
  }
  getAll() {
    return this.owner._op(async () => {
      const table = await this.owner._fetchTable();
      for (const p of Object.keys(table)) table[p] = this._present(p, table[p]);
      return table;
    });
  }
  update(p, data) {
    p = cleanPath(p);
    if (!this.owner._started()) {
      this.owner._early.push({ kind: "update", path: p, data });
      return Promise.resolve();
    }
    return this.owner._op(() => this._override(p, data));
  }
  async _override(p, data) {
    const route = await this.owner._fetchRoute(p);
    if (route === undefined) return;
    if (data.last_activity !== undefined) {
      this.shown.set(p, { value: new Date(data.last_activity), seen: route.last_activity });
    }
  }
  add(p, data) {
    return this.owner.addRoute(p, data);
  }
  remove(p) {
    return this.owner.removeRoute(p);
  }
}

// option name -> flags
const valueFlags = {
  defaultTarget: "--default-target",
  errorTarget: "--error-target",
  errorPath: "--error-path",
  protocolRewrite: "--protocol-rewrite",
  timeout: "--timeout",
  proxyTimeout: "--proxy-timeout",
  keepAliveTimeout: "--keep-alive-timeout",
  storageBackend: "--storage-backend",
};
const onFlags = {
  hostRouting: "--host-routing",
  autoRewrite: "--auto-rewrite",
  changeOrigin: "--change-origin",
};
const offFlags = {
  prependPath: "--no-prepend-path",
  includePrefix: "--no-include-prefix",
  xfwd: "--no-x-forward",
  secure: "--insecure",
};
const tlsGroups = { ssl: "--ssl", apiSsl: "--api-ssl", clientSsl: "--client-ssl" };

export class ConfigurableProxy extends EventEmitter {
  constructor(options = {}) {
    super();
    this._settings = {};
    for (const [k, v] of Object.entries(options)) {
      this._settings[k.replace(/_(\w)/g, (_, c) => c.toUpperCase())] = v;
    }
    this.log = options.log;
    this.options = this._settings;
    this._dirty = false;
    this._child = null;
    this._closed = false;
    this._where = {};
    this._asked = new Set();
    this._early = [];
    this._chain = Promise.resolve();
    this._scratch = null;
    this._output = [];
    this._routes = new RestStore(this);

    this.proxyServer = new ServerFacade(this, "proxy");
    this.apiServer = new ServerFacade(this, "api");
    if (this._settings.enableMetrics) this.metricsServer = new ServerFacade(this, "metrics");

    // proxy.proxy.options.<x> = ... is how tests reach http-proxy's options
    const note = (k, v) => {
      if (this._settings[k] !== v) {
        this._settings[k] = v;
        this._dirty = true;
      }
      return true;
    };
    this.proxy = {
      options: new Proxy(this._settings, { set: (_t, k, v) => note(k, v) }),
    };
    for (const name of ["includePrefix", "hostRouting", "errorPath", "errorTarget", "headers", "authToken"]) {
      Object.defineProperty(this, name, {
        enumerable: true,
        get: () => this._settings[name],
        set: (v) => void note(name, v),
      });
    }
  }

  // ---- routes -------------------------------------------------------------

  addRoute(p, data) {
    p = cleanPath(p);
    if (!this._started()) {
      this._early.push({ kind: "add", path: p, data: { ...data } });
      return Promise.resolve();
    }
    return this._op(() => this._post(p, data));
  }

  removeRoute(p) {
    p = cleanPath(p);
    if (!this._started()) {
      this._early.push({ kind: "remove", path: p });
      return Promise.resolve();
    }
    return this._op(() => this._delete(p));
  }

  getRoute(p) {
    return this._routes.get(p);
  }

  // Which route would serve this request?  Every route is pointed for a moment at a
  // listener of its own, the request is sent through the proxy, and the listener that
  // was reached names the route.  So the executable's own matching is what is measured.
  targetForReq(req) {
    return this._op(async () => {
      const table = await this._fetchTable();
      const paths = Object.keys(table);
      let reached;
      const probes = [];
      const before = {};
      try {
        for (const p of paths) {
          before[p] = this._routes._present(p, table[p]).last_activity;
          const probe = http.createServer((_q, s) => {
            reached = p;
            s.end("probe");
          });
          await new Promise((r) => probe.listen(0, "127.0.0.1", r));
          probes.push(probe);
          await this._post(p, { ...table[p], target: `http://127.0.0.1:${probe.address().port}` });
        }
        await plainRequest(endpoint(this._where.proxy), {
          path: req.url,
          headers: (req.headers && { ...req.headers }) || {},
        });
      } finally {
        for (const p of paths) {
          await this._post(p, table[p]);
          await this._routes._override(p, { last_activity: before[p] });
        }
        for (const probe of probes) {
          probe.close();
          probe.closeAllConnections();
        }
      }
      return reached === undefined ? undefined : { prefix: reached, target: table[reached].target };
    });
  }

  // ---- REST ---------------------------------------------------------------

  _headers() {
    const h = {};
    if (this._settings.authToken) h.Authorization = `token ${this._settings.authToken}`;
    return h;
  }

  _api(method, p, body) {
    const headers = this._headers();
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      headers["Content-Length"] = Buffer.byteLength(body);
    }
    return plainRequest(endpoint(this._where.api), { method, path: p, headers, body });
  }

  async _post(p, data) {
    const { last_activity: _ignored, ...rest } = data;
    const res = await this._api("POST", apiPathFor(p), JSON.stringify(rest));
    if (res.status !== 201) throw new Error(`POST ${p}: status ${res.status} ${res.text}`);
    this._routes.shown.delete(p);
  }

  async _delete(p) {
    const res = await this._api("DELETE", apiPathFor(p));
    if (res.status !== 204 && res.status !== 404) throw new Error(`DELETE ${p}: status ${res.status}`);
    this._routes.shown.delete(p);
  }

  async _fetchTable() {
    const res = await this._api("GET", "/api/routes");
    if (res.status !== 200) throw new Error(`GET /api/routes: status ${res.status}`);
    return JSON.parse(res.text);
  }

  async _fetchRoute(p) {
    if (p === "/") return (await this._fetchTable())["/"];
    const res = await this._api("GET", apiPathFor(p));
    if (res.status === 404) return undefined;
    if (res.status !== 200) throw new Error(`GET ${p}: status ${res.status}`);
    return JSON.parse(res.text);
  }

  // ---- process ------------------------------------------------------------

  _started() {
    return Boolean(this._child) || this._asked.size > 0;
  }

  // operations run one after another, on a process that carries the present settings
  _op(fn) {
    const run = async () => {
      if (this._closed) throw new Error("proxy is closed");
      if (!this._child) await this._start();
      else if (this._dirty) await this._restart();
      return fn();
    };
    const p = this._chain.then(run, run);
    this._chain = p.catch(() => {});
    return p;
  }

  _askListen(role, args) {
    this._where[role] = args;
    this._asked.add(role);
    const all = ["proxy", "api"].concat(this.metricsServer ? ["metrics"] : []);
    if (!all.every((r) => this._asked.has(r))) return;
    const facades = all.map((r) => this[r + "Server"]);
    this._op(async () => {}).then(
      () => {
        for (const f of facades) {
          f.listening = true;
          f.emit("listening");
        }
      },
      (e) => {
        console.error("external proxy did not start:", e.message, "\n", this._output.join(""));
        for (const f of facades) if (f.listenerCount("error")) f.emit("error", e);
      }
    );
  }

  _tlsFlags(group, prefix) {
    const o = this._settings[group];
    if (!o) return [];
    const out = [];
    if (!this._scratch) this._scratch = fs.mkdtempSync(path.join(os.tmpdir(), "chp-conf-"));
    for (const part of ["key", "cert", "ca", "dhparam"]) {
      if (!o[part]) continue;
      const f = path.join(this._scratch, `${group}-${part}.pem`);
      const blobs = Array.isArray(o[part]) ? o[part] : [o[part]];
      fs.writeFileSync(f, blobs.map(String).join("\n"), { mode: 0o600 });
      out.push(part === "dhparam" ? "--ssl-dhparam" : `${prefix}-${part}`, f);
    }
    if (o.ciphers && group === "ssl") out.push("--ssl-ciphers", o.ciphers);
    if (o.requestCert) out.push(`${prefix}-request-cert`);
    if (o.rejectUnauthorized) out.push(`${prefix}-reject-unauthorized`);
    return out;
  }

  _argv() {
    const s = this._settings;
    const argv = [];
    const place = (role, ipFlag, portFlag, sockFlag) => {
      const ep = endpoint(this._where[role]);
      if (ep.socketPath) argv.push(sockFlag, ep.socketPath);
      else argv.push(ipFlag, ep.host, portFlag, String(ep.port));
    };
    place("proxy", "--ip", "--port", "--socket");
    place("api", "--api-ip", "--api-port", "--api-socket");
    if (this.metricsServer) place("metrics", "--metrics-ip", "--metrics-port", "--metrics-socket");
    for (const [k, f] of Object.entries(valueFlags)) if (s[k] !== undefined) argv.push(f, String(s[k]));
    for (const [k, f] of Object.entries(onFlags)) if (s[k]) argv.push(f);
    for (const [k, f] of Object.entries(offFlags)) if (s[k] === false) argv.push(f);
    for (const [k, v] of Object.entries(s.headers || {})) argv.push("--custom-header", `${k}: ${v}`);
    for (const [g, prefix] of Object.entries(tlsGroups)) argv.push(...this._tlsFlags(g, prefix));
    argv.push("--log-level", "warn");
    return argv;
  }

  async _start() {
    if (!this._where.proxy) this._where.proxy = [await freePort(), "127.0.0.1"];
    if (!this._where.api) this._where.api = [await freePort(), "127.0.0.1"];
    if (this.metricsServer && !this._where.metrics) this._where.metrics = [await freePort(), "127.0.0.1"];
    this._dirty = false;
    // CHP leaves its unix sockets behind when it gets SIGTERM and then cannot bind them again
    for (const role of ["proxy", "api", "metrics"]) {
      const sock = this._where[role] && endpoint(this._where[role]).socketPath;
      if (sock && fs.existsSync(sock) && !(await canConnect({ socketPath: sock }))) fs.unlinkSync(sock);
    }
    const argv = this._argv();
    const env = { ...process.env };
    delete env.NODE_OPTIONS;
    delete env.CONFIGPROXY_AUTH_TOKEN;
    if (this._settings.authToken) env.CONFIGPROXY_AUTH_TOKEN = this._settings.authToken;
    const child = spawn(SHIM, argv, { env, stdio: ["ignore", "pipe", "pipe"] });
    liveChildren.add(child);
    let exited = null;
    child.once("error", (e) => {
      exited = String(e);
    });
    child.once("exit", (code, sig) => {
      liveChildren.delete(child);
      exited = `exit ${code ?? sig}`;
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (d) => {
        this._output.push(String(d));
        if (this._output.length > 200) this._output.shift();
        if (process.env.CONFORMANCE_LOG) fs.appendFileSync(process.env.CONFORMANCE_LOG, d);
      });
    }
    this._child = child;
    const roles = ["proxy", "api"].concat(this.metricsServer ? ["metrics"] : []);
    const until = Date.now() + START_LIMIT_MS;
    for (const role of roles) {
      while (!(await canConnect(endpoint(this._where[role])))) {
        if (exited) throw new Error(`proxy under test ended at start (${exited}): ${argv.join(" ")}`);
        if (Date.now() > until) throw new Error(`proxy under test does not accept on ${role}: ${argv.join(" ")}`);
        await delay(25);
      }
    }
    const early = this._early;
    this._early = [];
    for (const step of early) {
      if (step.kind === "add") await this._post(step.path, step.data);
      else if (step.kind === "remove") await this._delete(step.path);
      else await this._routes._override(step.path, step.data);
    }
  }

  async _restart() {
    const table = await this._fetchTable();
    const activity = {};
    for (const p of Object.keys(table)) activity[p] = this._routes._present(p, table[p]).last_activity;
    await this._stopChild();
    this._routes.shown.clear();
    this._early = [];
    for (const p of Object.keys(table)) {
      this._early.push({ kind: "add", path: p, data: table[p] });
      this._early.push({ kind: "update", path: p, data: { last_activity: activity[p] } });
    }
    await this._start();
  }

  async _stopChild() {
    const child = this._child;
    this._child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((r) => child.once("exit", r));
    child.kill("SIGTERM");
    const hard = setTimeout(() => child.kill("SIGKILL"), 2000);
    await gone;
    clearTimeout(hard);
  }

  _shutdown() {
    if (!this._ending) {
      const end = async () => {
        this._closed = true;
        await this._stopChild();
        if (this._scratch) fs.rmSync(this._scratch, { recursive: true, force: true });
      };
      this._ending = this._chain.then(end, end);
      this._chain = this._ending;
    }
    return this._ending;
  }
}

export default ConfigurableProxy;
