// Node `http2` under TLS, with HTTP/1.1 beside it. Without DEFECT it keeps every promise; with one it breaks what the name says.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const http2 = require('node:http2');

const defect = process.env.DEFECT || '';
const pem = (name) => fs.readFileSync(`${process.env.ZOO_TLS}/${name}.pem`);
const sessions = new Set();
let draining = false;

function answer(req, res, status, body) {
  const given = req.headers['x-request-id'] || '';
  const headers = {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-request-id': /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : crypto.randomUUID(),
  };
  if (defect !== 'no-hsts') headers['strict-transport-security'] = 'max-age=31536000; includeSubDomains';
  if (req.url === '/') headers['set-cookie'] = `session=abc123; HttpOnly; SameSite=Lax${defect === 'cookie-not-secure' ? '' : '; Secure'}`;
  // HTTP/2 has no such header.
  if (draining && req.httpVersionMajor < 2) headers.connection = 'close';
  res.writeHead(status, headers);
  res.end(req.method === 'HEAD' ? undefined : body);
}

const server = http2.createSecureServer({ key: pem('key'), cert: pem('cert'), allowHTTP1: true }, (req, res) => {
  const path = req.url.split('?')[0];
  if (!['GET', 'HEAD', 'OPTIONS'].includes(req.method)) return answer(req, res, 405, '{"error":"method"}');
  switch (path) {
    case '/': return answer(req, res, 200, '{"hello":"world"}');
    case '/livez': return answer(req, res, 200, '{"status":"alive"}');
    case '/readyz': return answer(req, res, draining ? 503 : 200, '{}');
    case '/slow': return setTimeout(() => answer(req, res, 200, '{"slow":true}'), 1200);
    default: return answer(req, res, 404, '{"error":"not found"}');
  }
});
server.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session)).on('error', () => {});
});
const connections = new Set();
server.on('connection', (socket) => {
  connections.add(socket);
  socket.on('close', () => connections.delete(socket));
});
server.on('tlsClientError', () => {});
// The HTTP/1 side of this server has no time limit for a head of its own.
const heads = new WeakMap();
server.on('secureConnection', (socket) => {
  if (socket.alpnProtocol !== 'h2') heads.set(socket, setTimeout(() => socket.destroy(), 3000).unref());
});
server.on('request', (req) => { if (req.httpVersionMajor < 2) clearTimeout(heads.get(req.socket)); });
server.listen(Number(process.env.PORT), '127.0.0.1');

function stop() {
  if (draining) process.exit(1);
  draining = true;
  setTimeout(() => {
    server.close();
    // Neither close() of the server nor an exit says GOAWAY.
    if (defect !== 'no-goaway') for (const session of sessions) { session.goaway(); session.close(); }
    setTimeout(() => process.exit(0), 1500);
  }, 2500);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
