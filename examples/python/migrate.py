"""Makes the table where there is none: run twice, it does nothing the second time."""
import sqlite3

with sqlite3.connect("invoices.db") as database:
    database.execute("CREATE TABLE IF NOT EXISTS invoice (id INTEGER PRIMARY KEY, total INTEGER NOT NULL)")
    database.execute("INSERT OR IGNORE INTO invoice VALUES (1, 4200)")
