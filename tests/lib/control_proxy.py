"""A proxy that does it wrong on purpose.

Deleting a route closes its tunnels; the end of one direction ends the other; and
with a third argument everything takes at most that many seconds. A test that
passes with this one tests nothing.

    control_proxy.py PORT API_PORT [SECONDS]
"""
import asyncio
import json
import sys
import urllib.parse

from tunnels import read_head

routes, tunnels = {}, {}
limit_s = float(sys.argv[3]) if len(sys.argv) > 3 else None


async def api(reader, writer):
    first, head = await read_head(reader)
    method, target, _ = first.split(" ")
    path = urllib.parse.unquote(target[len("/api/routes"):]) or "/"
    body = await reader.readexactly(int(head.get("content-length", 0)))
    if method == "POST":
        routes[path] = urllib.parse.urlsplit(json.loads(body)["target"])
    elif method == "DELETE":
        routes.pop(path, None)
        for w in tunnels.pop(path, []):
            w.close()
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                 % (201 if method == "POST" else 204))
    writer.close()


async def copy(reader, writer):
    try:
        while True:
            data = await reader.read(65536)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def public(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    target = head.split(b" ")[1].decode()
    best = max((p for p in routes if target.startswith(p)), key=len, default=None)
    if best is None:
        writer.write(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        return
    r, w = await asyncio.open_connection(routes[best].hostname, routes[best].port)
    tunnels.setdefault(best, []).append(writer)
    w.write(head)
    try:
        await asyncio.wait_for(asyncio.gather(copy(reader, w), copy(r, writer)), limit_s)
    except asyncio.TimeoutError:
        w.close()
        writer.close()


async def main(port, api_port):
    await asyncio.start_server(public, "127.0.0.1", port)
    await asyncio.start_server(api, "127.0.0.1", api_port)
    await asyncio.sleep(120)

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
