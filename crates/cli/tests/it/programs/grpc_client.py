"""Calls the service of grpc_server.py over Seaworthy, and says what it saw."""
import sys

import grpc

channel = grpc.insecure_channel(sys.argv[1])
answer, call = channel.unary_unary("/test.Echo/Unary").with_call(b"one", timeout=20)
assert answer == b"echo one", answer
assert ("x-after", "trailer") in [tuple(pair) for pair in call.trailing_metadata()], call.trailing_metadata()

# Each message is answered before the next one is sent: nothing on the way may hold it back.
import queue
outgoing = queue.Queue()
answers = channel.stream_stream("/test.Echo/Stream")(iter(outgoing.get, None), timeout=20)
for message in (b"a", b"b", b"c" * 100_000):
    outgoing.put(message)
    assert next(answers) == b"echo " + message
outgoing.put(None)
assert list(answers) == []

try:
    channel.unary_unary("/test.Echo/Fail")(b"", timeout=20)
    raise SystemExit("it did not fail")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
    assert error.details() == "not like that", error
print("all calls went as they should")
