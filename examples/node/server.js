const http = require('node:http');

const orders = [{ id: 1, item: 'anchor' }];

const routes = {
  '/orders': (response) => response.end(JSON.stringify(orders)),
  '/ready': (response) => response.end(),
  '/live': (response) => response.end(),
};

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  const route = routes[request.url.split('?')[0]];
  if (route) return route(response);
  response.statusCode = 404;
  response.end('{"error":"not found"}');
});

server.listen(process.env.PORT, process.env.HOST);
process.on('SIGTERM', () => server.close());
