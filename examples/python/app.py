"""A WSGI application: the sum of all invoices."""
import json
import sqlite3


def application(environ, start_response):
    with sqlite3.connect("invoices.db") as database:
        (total,) = database.execute("SELECT sum(total) FROM invoice").fetchone()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"total": total}).encode()]
