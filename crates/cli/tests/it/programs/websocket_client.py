"""Talks to the echo server over Seaworthy: `echo` sends and compares, `stay` waits for the goodbye and prints it."""
import asyncio
import sys

import websockets


async def echo(url):
    async with websockets.connect(url, max_size=None, subprotocols=None) as connection:
        for message in ["hello", "", "ü" * 1000, b"\x00\xff" * 50_000, "x" * 3_000_000]:
            await connection.send(message)
            assert await connection.recv() == message, f"{len(message)} came back otherwise"
        pong = await connection.ping()
        await pong
    assert connection.close_code == 1000, connection.close_code
    print("all came back")


async def stay(url):
    async with websockets.connect(url) as connection:
        await connection.send("here")
        print(await connection.recv(), flush=True)
        try:
            await connection.recv()
        except websockets.ConnectionClosed:
            pass
        print("closed with", connection.close_code, flush=True)


asyncio.run({"echo": echo, "stay": stay}[sys.argv[1]](sys.argv[2]))
