"""A gRPC service without generated code: /test.Echo/Unary, /Stream and /Fail take and give plain bytes."""
import os
import signal
from concurrent import futures

import grpc


def unary(request, context):
    context.set_trailing_metadata((("x-after", "trailer"),))
    return b"echo " + request


def stream(requests, context):
    for request in requests:
        yield b"echo " + request


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like that")


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Stream": grpc.stream_stream_rpc_method_handler(stream),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
}),))
server.add_insecure_port("127.0.0.1:" + os.environ["PORT"])
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(1))
server.wait_for_termination()
