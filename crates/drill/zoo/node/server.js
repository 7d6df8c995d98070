// Node `http`. Without DEFECT it keeps every promise; with one it breaks what the name says.
'use strict';
const http = require('node:http');
const crypto = require('node:crypto');

const defect = process.env.DEFECT || '';
const port = Number(process.env.PORT);
const PAUSE = 2500; // the listener stays open for so long after the signal
const DEADLINE = 2000; // and what is still open so long after it was closed is cut
const BODY_LIMIT = 1 << 20;

let started = defect === 'ready-before-start' ? false : true;
let draining = false;
const leak = [];
const counts = new Map();
const seconds = { sum: 0, count: 0, buckets: [0.005, 0.05, 0.5, 5].map((le) => ({ le, count: 0 })) };
let dependencyUp = true;
let failures = 0; // of calls to the dependency; from five on a breaker is open for a second
let openUntil = 0;

let running = 0; // slow requests
let probes = 0;
let queue = Promise.resolve(); // of those that wait for the one connection of a pool that is too small
const sockets = new Set(); // WebSockets

const routes = new Set(['/', '/slow', '/upload', '/livez', '/readyz', '/metrics', '/error', '/json']);

function record(req, status, took) {
  const route = defect === 'series-unbounded' ? req.url : routes.has(req.path) ? req.path : 'other';
  const key = `method="${methodLabel(req.method)}",path="${escape(route)}",status="${status}"`;
  const step = defect === 'wrong-counters' ? 2 : 1;
  counts.set(key, (counts.get(key) || 0) + step);
  seconds.sum += took;
  seconds.count += 1;
  for (const bucket of seconds.buckets) if (took <= bucket.le) bucket.count += 1;
}

const methodLabel = (method) => (['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other');
const escape = (text) => text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

function exposition() {
  const lines = ['# HELP http_requests_total Requests answered.', '# TYPE http_requests_total counter'];
  for (const [labels, count] of counts) lines.push(`http_requests_total{${labels}} ${count}`);
  if (defect === 'no-duration') return lines.join('\n') + '\n';
  lines.push('# HELP http_request_duration_seconds Time to answer.', '# TYPE http_request_duration_seconds histogram');
  for (const bucket of seconds.buckets) lines.push(`http_request_duration_seconds_bucket{le="${bucket.le}"} ${bucket.count}`);
  lines.push(`http_request_duration_seconds_bucket{le="+Inf"} ${seconds.count}`);
  lines.push(`http_request_duration_seconds_sum ${seconds.sum}`, `http_request_duration_seconds_count ${seconds.count}`);
  if (defect === 'exposition-invalid') lines.push('# TYPE http_requests_total counter', 'http_requests_total{path=/} 1');
  return lines.join('\n') + '\n';
}

function log(fields) {
  if (defect === 'log-plain') return process.stdout.write(`${fields.method} ${fields.path} ${fields.status}\n`);
  const line = JSON.stringify({ time: new Date().toISOString(), level: 'info', ...fields }) + '\n';
  // A pipe that is written to by process.stdout is asynchronous; the loggers that are not freeze with it.
  if (defect === 'stdout-blocks') require('node:fs').writeSync(1, line);
  else process.stdout.write(line);
}

function requestId(req) {
  const given = req.headers['x-request-id'];
  if (defect === 'id-not-validated' && given) return given;
  return given && /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

function answer(req, res, status, body, headers = {}) {
  const all = { 'content-type': 'application/json', ...headers };
  if (defect !== 'no-security-headers') {
    Object.assign(all, {
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
    });
  }
  if (defect === 'powered-by') all['x-powered-by'] = 'Express 4.17.1';
  if (defect === 'cors-open' && req.headers.origin) {
    all['access-control-allow-origin'] = req.headers.origin;
    all['access-control-allow-credentials'] = 'true';
  }
  if (defect === 'cookie-bare' && req.path === '/') all['set-cookie'] = 'session=abc123';
  if (defect !== 'no-request-id') all['x-request-id'] = req.id;
  if (draining && defect !== 'no-connection-close') all.connection = 'close';
  res.writeHead(status, all);
  res.end(req.method === 'HEAD' ? undefined : body);
}

const windows = new Map();
function limited(req) {
  if (!process.env.RATE_LIMIT) return false;
  const key = defect === 'limit-by-forwarded-for' ? req.headers['x-forwarded-for'] || '' : req.socket.remoteAddress;
  const now = Date.now();
  const window = windows.get(key) || { start: now, count: 0 };
  if (now - window.start > 1000) { window.start = now; window.count = 0; }
  window.count += 1;
  windows.set(key, window);
  return window.count > Number(process.env.RATE_LIMIT);
}

// A dependency over TCP that answers each line with a line.
function dependency(timeout) {
  const address = process.env.DEPENDENCY;
  if (!address) return Promise.resolve('none');
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const socket = require('node:net').connect(Number(port), host);
    const fail = (error) => { socket.destroy(); reject(error); };
    if (timeout) socket.setTimeout(timeout, () => fail(new Error('timeout')));
    socket.on('error', fail);
    socket.on('close', () => reject(new Error('closed')));
    let said = '';
    socket.on('data', (data) => {
      said += data;
      if (defect === 'one-read' && !said.endsWith('\n')) return fail(new Error('half a message'));
      if (said.endsWith('\n')) { resolve(said.trim()); socket.destroy(); }
    });
    socket.write('ping\n');
  });
}
if (process.env.DEPENDENCY) {
  let checking = false;
  setInterval(() => {
    if (checking) return;
    checking = true;
    dependency(500).then(() => { if (defect !== 'never-recovers' || dependencyUp) dependencyUp = true; }, () => { dependencyUp = false; }).finally(() => { checking = false; });
  }, 200).unref();
}

async function handle(req, res) {
  req.path = req.url.split('?')[0];
  req.id = requestId(req);
  const start = process.hrtime.bigint();
  res.on('finish', () => {
    const took = Number(process.hrtime.bigint() - start) / 1e9;
    if (req.path !== '/metrics' && req.path !== '/livez' && req.path !== '/readyz') {
      record(req, res.statusCode, took);
      if (process.env.ACCESS_LOG || defect === 'log-plain' || defect === 'stdout-blocks') {
        const path = ['token-in-log', 'two-lines'].includes(defect) ? req.url : req.path;
        if (defect === 'two-lines') log({ message: 'answered', path });
        if (defect === 'forged-log') process.stdout.write(`{"method":"${req.method}","path":"${decodeURIComponent(req.url)}"}\n`);
        else log({ method: req.method, path, status: res.statusCode, request_id: req.id, duration_ms: took * 1000 });
      }
    }
  });
  if (defect === 'fd-leak') leak.push(require('node:fs').openSync('/dev/null', 'r'));
  if (defect === 'memory-growth') leak.push(Buffer.alloc(512 * 1024, 1));
  switch (req.path) {
    case '/livez':
      if (defect === 'live-flaps' && (probes += 1) % 2 === 0) return answer(req, res, 503, '{"status":"dead"}');
      if (defect === 'probe-redirected') return answer(req, res, 302, '', { location: `https://localhost${req.url}` });
      if (defect === 'live-fails-in-drain' && draining) return answer(req, res, 503, '{"status":"dead"}');
      if (defect === 'live-checks-dependency' && !dependencyUp) return answer(req, res, 503, '{"status":"dead"}');
      if (defect === 'live-hangs-with-dependency') { await dependency(0).catch(() => {}); }
      if (defect === 'probe-shows-environment') return answer(req, res, 200, JSON.stringify({ status: 'alive', env: process.env }));
      return answer(req, res, 200, '{"status":"alive"}');
    case '/readyz':
      if (defect === 'ready-before-start') return answer(req, res, 200, '{"status":"ready"}');
      if ((draining && defect !== 'ready-always') || !started) return answer(req, res, 503, '{"status":"draining"}');
      if (!dependencyUp && defect !== 'ready-ignores-dependency') return answer(req, res, 503, '{"status":"not_ready"}');
      return answer(req, res, 200, '{"status":"ready"}');
    case '/metrics':
      if (defect === 'metrics-end-first' && draining) return answer(req, res, 503, '');
      return answer(req, res, 200, exposition(), { 'content-type': 'text/plain; version=0.0.4' });
    case '/slow':
      running += 1;
      if (defect === 'falls-over' && running > 100) { running -= 1; return res.destroy(); }
      await new Promise((done) => setTimeout(done, 1200));
      running -= 1;
      return answer(req, res, 200, '{"slow":true}');
    case '/dependency':
      if (defect !== 'no-breaker' && defect !== 'retry-storm' && Date.now() < openUntil) return answer(req, res, 503, '{"error":"unavailable"}', { 'retry-after': '1' });
      try {
        if (defect === 'pool-of-one') {
          const turn = queue.then(() => dependency(5000)).catch(() => { throw new Error('away'); });
          queue = turn.catch(() => {});
          return answer(req, res, 200, JSON.stringify({ dependency: await turn }));
        }
        if (defect === 'retry-storm') for (let turn = 0; turn < 9; turn += 1) await dependency(800).catch(() => {});
        const said = await dependency(defect === 'no-timeout' ? 0 : 800);
        failures = 0;
        return answer(req, res, 200, JSON.stringify({ dependency: said }));
      } catch {
        if ((failures += 1) >= 5) { openUntil = Date.now() + 1000; failures = 4; }
        return answer(req, res, 503, '{"error":"unavailable"}');
      }
    case '/error':
      try { throw new Error('boom'); } catch (error) {
        return answer(req, res, 500, JSON.stringify({ error: defect === 'stack-trace' ? error.stack : 'internal error' }));
      }
    case '/upload':
    case '/json': {
      if (req.method !== 'POST') return answer(req, res, 405, '{"error":"method"}', { allow: 'POST' });
      if (req.path === '/json' && defect !== 'any-type' && !/^application\/json/.test(req.headers['content-type'] || '')) return answer(req, res, 415, '{"error":"type"}');
      const limit = defect === 'no-body-limit' ? Infinity : BODY_LIMIT;
      if (Number(req.headers['content-length'] || 0) > limit) {
        if (defect === 'early-answer-lost') res.on('finish', () => req.socket.destroy());
        else req.resume();
        return answer(req, res, 413, '{"error":"too large"}');
      }
      let size = 0;
      for await (const part of req) {
        size += part.length;
        if (size > limit) return answer(req, res, 413, '{"error":"too large"}');
      }
      return answer(req, res, 200, JSON.stringify({ size }));
    }
    case '/':
      if (!started) return answer(req, res, 500, '{"error":"starting"}');
      if (defect === 'pool-of-one') await queue;
      if (limited(req)) return answer(req, res, 429, '{"error":"slow down"}', defect === 'no-retry-after' ? {} : { 'retry-after': '1' });
      return answer(req, res, 200, JSON.stringify({ hello: (defect !== 'env-ignored' && process.env.GREETING) || 'world' }), { 'cache-control': 'no-store' });
    default:
      if (defect === 'long-path-fails' && req.path.length > 255) return answer(req, res, 500, '{"error":"internal error"}');
      return answer(req, res, 404, '{"error":"not found"}');
  }
}

const patience = defect === 'slowloris'
  ? { headersTimeout: 0, requestTimeout: 0 }
  : { headersTimeout: 3000, requestTimeout: 30000, connectionsCheckingInterval: 500 };
const parser = { insecureHTTPParser: defect === 'lenient-parser' };
if (['no-head-limit', 'long-path-fails'].includes(defect)) parser.maxHeaderSize = 4 << 20;
const server = http.createServer({ ...patience, ...parser }, (req, res) => {
  handle(req, res).catch(() => { if (!res.headersSent) answer(req, res, 500, '{"error":"internal error"}'); else res.destroy(); });
});
server.keepAliveTimeout = 75000;
server.on('upgrade', (req, socket) => {
  if (req.url !== '/websocket') return socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  const accept = crypto.createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  sockets.add(socket);
  socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  return socket.resume();
});

function stop() {
  if (defect === 'second-signal-ignored' && draining) return;
  if (draining) process.exit(1);
  draining = true;
  if (defect === 'cuts-in-flight') return setTimeout(() => process.exit(0), 300);
  if (defect === 'closes-listener-at-once') { server.close(() => process.exit(0)); server.closeIdleConnections(); return; }
  setTimeout(() => {
    // A close frame with code 1001.
    for (const socket of sockets) { if (defect === 'websocket-cut') socket.destroy(); else socket.end(Buffer.from([0x88, 2, 3, 0xe9])); }
    server.close(() => process.exit(defect === 'exit-code' ? 3 : 0));
    server.closeIdleConnections();
    if (defect !== 'idle-blocks' && defect !== 'half-sent-blocks') setTimeout(() => { server.closeAllConnections(); process.exit(0); }, DEADLINE).unref();
  }, PAUSE);
}

if (defect === 'ignores-sigterm') { process.on('SIGTERM', () => {}); process.on('SIGINT', () => {}); }
else if (defect !== 'no-handler') {
  process.on('SIGTERM', stop);
  if (defect !== 'sigint-cuts') process.on('SIGINT', stop);
}
if (defect === 'invalid-config-accepted' || !process.env.POOL_SIZE || /^\d+$/.test(process.env.POOL_SIZE)) {
  server.listen(port, '127.0.0.1');
} else {
  process.stderr.write(`POOL_SIZE ${JSON.stringify(process.env.POOL_SIZE)} is no number\n`);
  process.exit(78);
}
if (defect === 'secret-file-unread' && process.env.TOKEN_FILE && !process.env.TOKEN) {
  process.stderr.write('TOKEN is not set\n');
  process.exit(78);
}
if (defect === 'writes-beside-itself') {
  const own = `drill-zoo-${process.pid}.tmp`;
  require('node:fs').writeFileSync(own, '');
  require('node:fs').unlinkSync(own);
}
if (defect === 'ready-before-start') setTimeout(() => { started = true; }, 1500);
if (defect === 'orphans') require('node:child_process').spawn('sleep', ['300'], { detached: true, stdio: 'ignore' }).unref();
if (defect === 'stale-lock') {
  const fs = require('node:fs');
  // Of this run of the zoo alone: in another one an instance may get the same port.
  const lock = `${process.env.ZOO_OWN || '/tmp'}/drill-zoo-${port}.lock`;
  if (fs.existsSync(lock)) { fs.unlinkSync(lock); process.stderr.write('locked\n'); process.exit(1); }
  fs.writeFileSync(lock, String(process.pid));
  process.on('exit', () => fs.unlinkSync(lock));
}
