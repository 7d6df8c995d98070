"""Flask behind gunicorn. Without DEFECT it keeps every promise; with one it breaks what the name says."""

import os
import re
import time
import uuid

from flask import Flask, jsonify, request

DEFECT = os.environ.get("DEFECT", "")
DRAINING = os.environ.get("ZOO_DRAINING", "")

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1 << 20


def draining():
    return bool(DRAINING) and os.path.exists(DRAINING)


@app.after_request
def common(response):
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    response.headers["Referrer-Policy"] = "no-referrer"
    given = request.headers.get("X-Request-Id", "")
    response.headers["X-Request-Id"] = given if re.fullmatch(r"[A-Za-z0-9._-]{1,128}", given) else uuid.uuid4().hex
    if draining():
        response.headers["Connection"] = "close"
    return response


@app.get("/")
def index():
    return jsonify(hello="world")


@app.get("/livez")
def livez():
    return jsonify(status="alive")


@app.get("/readyz")
def readyz():
    if draining() and DEFECT != "ready-always":
        return jsonify(status="draining"), 503
    return jsonify(status="ready")


@app.get("/slow")
def slow():
    time.sleep(1.2)
    return jsonify(slow=True)


@app.post("/upload")
def upload():
    size = 0
    while part := request.stream.read(8192):
        size += len(part)
    return jsonify(size=size)
