"""Takes envelopes as Sentry does, checks their format, and writes each item as a line of JSON.

The first line has its port. What breaks the format is answered 400 and written as {"broken": why}.
Format: https://develop.sentry.dev/sdk/data-model/envelopes/ and .../event-payloads/.
"""

import http.server
import json
import re
from datetime import datetime


def say(value):
    print(json.dumps(value), flush=True)


LEVELS = {"fatal", "error", "warning", "info", "debug"}
AUTH = {"sentry_version": "7", "sentry_key": "abracadabra"}


def demand(holds, why):
    if not holds:
        raise ValueError(why)


def hexadecimal(text, length):
    return isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{length}}}", text) is not None


def event(payload):
    demand(payload["level"] in LEVELS, "level")
    demand(payload["platform"] in {"other", "native"}, "platform")
    demand(isinstance(payload["timestamp"], (int, float)), "timestamp")
    for exception in payload["exception"]["values"]:
        demand(exception["type"] and isinstance(exception["value"], str), "exception")
        demand(isinstance(exception["mechanism"]["handled"], bool), "mechanism")
    demand(all(isinstance(part, str) for part in payload["fingerprint"]), "fingerprint")
    demand(all(isinstance(value, str) for value in payload["tags"].values()), "tags")


def transaction(payload):
    demand(payload["type"] == "transaction" and payload["transaction"], "transaction")
    demand(payload["start_timestamp"] <= payload["timestamp"], "times")
    trace = payload["contexts"]["trace"]
    demand(hexadecimal(trace["trace_id"], 32) and hexadecimal(trace["span_id"], 16), "trace context")
    for span in payload["spans"]:
        demand(span["trace_id"] == trace["trace_id"] and span["parent_span_id"] == trace["span_id"], "span")
        demand(span["start_timestamp"] <= span["timestamp"], "times of a span")


def client_report(payload):
    for discarded in payload["discarded_events"]:
        demand(discarded["quantity"] > 0 and discarded["reason"] and discarded["category"], "client report")


CHECKS = {"event": event, "transaction": transaction, "client_report": client_report}


def items(body):
    line, rest = body.split(b"\n", 1)
    head = json.loads(line)
    demand(hexadecimal(head["event_id"], 32), "event_id of the envelope")
    datetime.fromisoformat(head["sent_at"].replace("Z", "+00:00"))
    first = True
    while rest:
        line, rest = rest.split(b"\n", 1)
        about = json.loads(line)
        length = about["length"]
        payload, end = rest[:length], rest[length:length + 1]
        demand(len(payload) == length and end in (b"\n", b""), "length of an item")
        rest = rest[length + 1:]
        payload = json.loads(payload)
        CHECKS[about["type"]](payload)
        if first:
            demand(payload["event_id"] == head["event_id"], "event_id")
            demand(payload["sdk"]["name"] and payload["sdk"]["version"], "sdk")
        first = False
        yield {"item": about["type"], "payload": payload}


class Sentry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            demand(self.path == "/api/42/envelope/", "path " + self.path)
            demand(self.headers["content-type"] == "application/x-sentry-envelope", "content-type")
            kind, fields = self.headers["x-sentry-auth"].split(" ", 1)
            fields = dict(field.strip().split("=", 1) for field in fields.split(","))
            demand(kind == "Sentry" and AUTH.items() <= fields.items() and fields["sentry_client"], "auth")
            for item in items(body):
                say(item)
            status = 200
        except Exception as error:
            say({"broken": repr(error), "body": body.decode(errors="replace")})
            status = 400
        answer = b"{}"
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sentry)
say({"port": server.server_address[1]})
server.serve_forever()
