#!/usr/bin/env python3
"""Copies bytes between those who connect to one address and another address, as `kubectl port-forward` does: forward.py HERE THERE"""
import asyncio
import sys


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def copy(reader, writer):
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def forward(there, reader, writer):
    try:
        answers, requests = await asyncio.open_connection(*there)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, requests), copy(answers, writer))


async def main(here, there):
    server = await asyncio.start_server(lambda reader, writer: forward(there, reader, writer), *here)
    await server.serve_forever()


asyncio.run(main(*map(address, sys.argv[1:])))
