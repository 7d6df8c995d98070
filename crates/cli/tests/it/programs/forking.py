"""Serves HTTP, and at GET /orphan leaves a grandchild behind that ends soon after."""
import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"hello\n"
        if self.path == "/orphan":
            # Twice: the one in the middle ends at once, so that nobody but the init is left to wait for the last.
            middle = os.fork()
            if middle == 0:
                if os.fork() == 0:
                    os.close(self.connection.fileno())
                os._exit(0)
            os.waitpid(middle, 0)
            body = b"forked\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
