"""A collector: decodes spans with the generated code of OpenTelemetry, and writes each as a line of JSON.

    otlp_collector.py http|grpc

The first line has its port. With `http`, spans are refused unless their request brings the header `api-key: abracadabra`.
"""

import http.server
import json
import sys
from concurrent import futures

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


def say(value):
    print(json.dumps(value), flush=True)


def plain(value):
    return getattr(value, value.WhichOneof("value"))


def attributes(pairs):
    return {pair.key: plain(pair.value) for pair in pairs}


def take(request):
    for resource_spans in request.resource_spans:
        resource = attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                say({
                    "resource": resource,
                    "scope": scope_spans.scope.name,
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": span.kind,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "status": span.status.code,
                    "attributes": attributes(span.attributes),
                })


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        allowed = self.headers["api-key"] == "abracadabra"
        right = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        if allowed and right:
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            take(request)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200 if allowed and right else 401)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def serve_http():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    say({"port": server.server_address[1]})
    server.serve_forever()


def serve_grpc():
    import grpc
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request, context):
            take(request)
            return ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)
    say({"port": server.add_insecure_port("127.0.0.1:0")})
    server.start()
    server.wait_for_termination()


{"http": serve_http, "grpc": serve_grpc}[sys.argv[1]]()
