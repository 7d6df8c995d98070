// An HTTP program without dependencies, with a path for each thing that a test wants to see.
const http = require('http');
const crypto = require('crypto');

const waiting = [];   // answers that /release ends
const streams = [];   // event streams that /event writes to

const routes = {
  '/': (request, response) => response.end('hello\n'),
  // What only the program knows of itself.
  '/internal/stats': (request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ memory: process.memoryUsage(), nodeVersion: process.version }));
  },
  '/json': (request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ id: 7, title: 'write it down' }));
  },
  // What arrived, for tests that look at heads.
  '/head': (request, response) => response.end(JSON.stringify({
    method: request.method, url: request.url, version: request.httpVersion, headers: request.headers, raw: request.rawHeaders,
  })),
  '/upload': (request, response) => {
    const hash = crypto.createHash('sha256');
    let bytes = 0;
    request.on('data', (chunk) => { bytes += chunk.length; hash.update(chunk); });
    request.on('end', () => response.end(JSON.stringify({ bytes, sha256: hash.digest('hex'), trailers: request.trailers })));
  },
  // Answers before it has read the body, and never reads it.
  '/early': (request, response) => { response.statusCode = 403; response.end('no\n'); },
  '/trailers': (request, response) => {
    response.writeHead(200, { Trailer: 'X-Checksum' });
    response.write('body');
    response.addTrailers({ 'X-Checksum': 'abc' });
    response.end();
  },
  '/wait': (request, response) => { waiting.push(response); },
  '/waiting': (request, response) => response.end(String(waiting.length)),
  '/release': (request, response) => {
    response.end(String(waiting.length));
    for (const held of waiting.splice(0)) held.end('released\n');
  },
  '/events': (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: first\n\n');
    streams.push(response);
  },
  '/event': (request, response) => {
    for (const stream of streams) stream.write('data: next\n\n');
    response.end();
  },
  // Half of what it promised, and then nothing.
  '/truncated': (request, response) => {
    response.writeHead(200, { 'Content-Length': '1000' });
    response.write('x'.repeat(500), () => request.socket.destroy());
  },
  '/slow': (request, response) => setTimeout(() => response.end('slow\n'), Number(new URL(request.url, 'http://app').searchParams.get('ms'))),
  '/exit': (request, response) => process.exit(3),
  '/hide': (request, response) => {
    response.writeHead(200, { 'X-Powered-By': 'Node', Server: 'app', Connection: 'X-Hop', 'X-Hop': 'secret', 'X-Route': '/hide/:id' });
    response.end();
  },
};

const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  const route = routes[path] || ((request, response) => { response.statusCode = 404; response.end('nothing here\n'); });
  route(request, response);
});

// A WebSocket that sends each message back. Its messages are short and come whole.
server.on('upgrade', (request, socket) => {
  const accept = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ' + accept + '\r\n\r\n');
  let buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 6 && buffer.length >= 6 + (buffer[1] & 0x7f)) {
      const length = buffer[1] & 0x7f;
      const payload = buffer.subarray(6, 6 + length).map((byte, at) => byte ^ buffer[2 + at % 4]);
      socket.write(Buffer.concat([Buffer.from([buffer[0], length]), payload]));
      if ((buffer[0] & 0x0f) === 8) socket.end();
      buffer = buffer.subarray(6 + length);
    }
  });
});

server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('app listens on ' + process.env.PORT));

process.on('SIGTERM', () => {
  console.log('app got SIGTERM');
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
