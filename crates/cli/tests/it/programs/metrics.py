"""Serves "/" and, by the client library of Prometheus, metrics of its own at "/metrics"."""

import os
import signal
import sys
from http.server import ThreadingHTTPServer

from prometheus_client import Counter, Gauge, Histogram, MetricsHandler, Summary

Counter("orders", "Orders.", ["kind"]).labels('a "quoted" \\ one\n').inc(3)
Counter("http_requests", "A name that is taken.").inc(5)
Gauge("circuit_breaker_state", "State.", ["service"]).labels("stripe").set(2)
Histogram("job_duration_seconds", "Jobs.").observe(0.3)
Summary("rpc_size_bytes", "Sizes.").observe(12)


class Handler(MetricsHandler):
    def do_GET(self):
        if self.path == "/metrics":
            return super().do_GET()
        body = b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
