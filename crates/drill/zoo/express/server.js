// Express. Without DEFECT it keeps every promise; with one it breaks what the name says.
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');
const express = require('express');

const defect = process.env.DEFECT || '';
let draining = false;

const app = express();
if (defect !== 'powered-by') app.disable('x-powered-by');
app.use((req, res, next) => {
  const given = req.get('x-request-id') || '';
  res.set({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-request-id': /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : crypto.randomUUID(),
  });
  if (draining) res.set('connection', 'close');
  if (defect === 'cors-open' && req.get('origin')) res.set({ 'access-control-allow-origin': req.get('origin'), 'access-control-allow-credentials': 'true' });
  if (defect === 'cookie-bare') res.cookie('connect.sid', 'abc123');
  next();
});
app.get('/', (req, res) => res.json({ hello: 'world' }));
app.get('/livez', (req, res) => res.json({ status: 'alive' }));
app.get('/readyz', (req, res) => res.status(draining ? 503 : 200).json({ status: draining ? 'draining' : 'ready' }));
app.get('/slow', (req, res) => setTimeout(() => res.json({ slow: true }), 1200));
app.get('/error', () => { throw new Error('boom'); });
app.post('/upload', express.raw({ type: '*/*', limit: '1mb' }), (req, res) => res.json({ size: req.body.length }));
app.use((req, res) => res.status(404).json({ error: 'not found' }));
if (defect !== 'stack-trace') {
  app.use((error, req, res, next) => {
    if (res.headersSent) return next(error);
    const status = error.status || 500;
    return res.status(status).json({ error: status === 500 ? 'internal error' : 'refused' });
  });
}

const server = http.createServer({ headersTimeout: 3000, requestTimeout: 30000, connectionsCheckingInterval: 500 }, app);
server.keepAliveTimeout = 75000;
server.listen(Number(process.env.PORT), '127.0.0.1');

function stop() {
  if (draining) process.exit(1);
  draining = true;
  setTimeout(() => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => { server.closeAllConnections(); process.exit(0); }, 2000).unref();
  }, defect === 'closes-listener-at-once' ? 0 : 2500);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
