// Fastify. Without DEFECT it keeps every promise; with one it breaks what the name says.
'use strict';
const crypto = require('node:crypto');
const fastify = require('fastify');

const defect = process.env.DEFECT || '';
let draining = false;

const app = fastify({
  bodyLimit: 1 << 20,
  requestTimeout: 30000,
  keepAliveTimeout: 75000,
  forceCloseConnections: 'idle',
  // What still comes in while it closes is served: liveness is asked until the end.
  return503OnClosing: false,
  http: { headersTimeout: 3000, connectionsCheckingInterval: 500 },
  genReqId: (req) => {
    const given = req.headers['x-request-id'] || '';
    return /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : crypto.randomUUID();
  },
});
app.addContentTypeParser('*', { parseAs: 'buffer' }, (req, body, done) => done(null, { size: body.length }));
app.addHook('onRequest', async (req, reply) => {
  reply.headers({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-request-id': req.id,
  });
  if (draining && defect !== 'no-connection-close') reply.header('connection', 'close');
});
app.setErrorHandler((error, req, reply) => {
  const status = error.statusCode || 500;
  reply.code(status).send({ error: defect === 'stack-trace' ? error.stack : status === 500 ? 'internal error' : 'refused' });
});
app.get('/', async () => ({ hello: 'world' }));
app.get('/livez', async () => ({ status: 'alive' }));
app.get('/readyz', async (req, reply) => {
  if (draining) reply.code(503);
  return { status: draining ? 'draining' : 'ready' };
});
app.get('/slow', async () => { await new Promise((done) => setTimeout(done, 1200)); return { slow: true }; });
app.get('/error', async () => { throw new Error('boom'); });
app.post('/upload', async (req) => req.body);

function stop() {
  if (draining) process.exit(1);
  draining = true;
  setTimeout(() => {
    app.close().then(() => process.exit(0));
    setTimeout(() => { app.server.closeAllConnections(); process.exit(0); }, 2000).unref();
  }, defect === 'closes-listener-at-once' ? 0 : 2500);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
