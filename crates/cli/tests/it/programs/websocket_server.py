"""Echoes every message, with the `websockets` library."""
import asyncio
import os

import websockets


async def echo(connection, path=None):
    async for message in connection:
        await connection.send(message)


async def main():
    async with websockets.serve(echo, "127.0.0.1", int(os.environ["PORT"]), max_size=None):
        await asyncio.Future()


asyncio.run(main())
