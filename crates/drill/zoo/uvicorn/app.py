"""uvicorn with a bare ASGI application. Without DEFECT it keeps every promise; with one it breaks what the name says."""

import asyncio
import os
import re
import sys
import time
import uuid

import uvicorn

DEFECT = os.environ.get("DEFECT", "")
LIMIT = 1 << 20
PAUSE = 2.5
draining = False


async def size_of_body(receive):
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if size > LIMIT or not message.get("more_body"):
            return size


async def answer(scope, receive):
    path = scope["path"]
    if path == "/":
        return 200, b'{"hello":"world"}'
    if path == "/livez":
        return 200, b'{"status":"alive"}'
    if path == "/readyz":
        return (503, b'{"status":"draining"}') if draining else (200, b'{"status":"ready"}')
    if path == "/slow":
        if DEFECT == "blocks-its-loop":
            time.sleep(1.2)
        else:
            await asyncio.sleep(1.2)
        return 200, b'{"slow":true}'
    if path == "/upload" and scope["method"] == "POST":
        if await size_of_body(receive) > LIMIT:
            return 413, b'{"error":"too large"}'
        return 200, b'{"ok":true}'
    return 404, b'{"error":"not found"}'


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    known = scope["method"] in {"GET", "HEAD", "POST", "OPTIONS"}
    status, body = await answer(scope, receive) if known else (405, b'{"error":"method"}')
    made = given if re.fullmatch(r"[A-Za-z0-9._-]{1,128}", given) else uuid.uuid4().hex
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-request-id", made.encode()),
    ]
    if draining:
        headers.append((b"connection", b"close"))
    if DEFECT == "cookie-bare":
        headers.append((b"set-cookie", b"session=abc123; Path=/; HttpOnly"))
    if DEFECT == "cors-open" and (origin := dict(scope["headers"]).get(b"origin")):
        headers += [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


class Server(uvicorn.Server):
    """Lets the balancers look away before it stops."""

    def handle_exit(self, sig, frame):
        global draining
        if draining:
            os._exit(1)
        draining = True
        # uvicorn's own handler would raise the signal again at the end, and the exit code would be that of a kill.
        asyncio.get_running_loop().call_soon_threadsafe(self.later)

    def later(self):
        asyncio.get_running_loop().call_later(PAUSE, lambda: setattr(self, "should_exit", True))


if __name__ == "__main__":
    options = {"host": "127.0.0.1", "port": int(os.environ["PORT"]), "access_log": False, "log_level": "warning"}
    if DEFECT == "plain":
        uvicorn.run(app, **options)
        sys.exit(0)
    config = uvicorn.Config(app, timeout_keep_alive=75, timeout_graceful_shutdown=3, **options)
    Server(config).run()
