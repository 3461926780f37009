"""Many WebSockets at once, each with a stream of seeded bytes that must come back unchanged."""
import asyncio
import base64
import hashlib
import random
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


async def read_head(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return lines[0], dict((n.lower(), v.strip()) for n, _, v in (x.partition(":") for x in lines[1:] if x))


async def echo_client(reader, writer):
    """The backend's side: a real handshake, then every byte goes back."""
    try:
        while True:
            first, head = await read_head(reader)
            if head.get("upgrade", "").lower() != "websocket":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
                continue
            writer.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
                          % accept_key(head["sec-websocket-key"])).encode())
            while True:
                data = await reader.read(65536)
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            break
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


class Tunnel:
    def __init__(self, port, path, seed, pause):
        self.port, self.path, self.seed, self.pause = port, path, seed, pause
        self.expected, self.echoed, self.wrong = bytearray(), 0, None
        self.stopping = self.opened = self.closed = False

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        key = base64.b64encode(random.Random(self.seed).randbytes(16)).decode()
        self.writer.write(("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                           "Sec-WebSocket-Version: 13\r\n\r\n" % (self.path, self.port, key)).encode())
        first, head = await read_head(self.reader)
        if " 101 " not in first or head.get("sec-websocket-accept") != accept_key(key):
            raise OSError("the handshake was answered with %r" % first)
        self.opened = True

    async def send(self):
        rng = random.Random(self.seed)
        while not self.stopping:
            data = rng.randbytes(rng.randrange(1, 1400))
            self.expected += data
            self.writer.write(data)
            await self.writer.drain()
            await asyncio.sleep(self.pause * rng.uniform(0.5, 1.5))
        for _ in range(200):
            if not self.expected or self.closed:
                return
            await asyncio.sleep(0.05)
        self.wrong = self.wrong or "%d bytes never came back" % len(self.expected)

    async def receive(self):
        while True:
            try:
                data = await self.reader.read(65536)
            except OSError:
                data = b""
            if not data:
                self.closed = True
                if not self.stopping:
                    self.wrong = self.wrong or "was closed after %d bytes" % self.echoed
                return
            if data != self.expected[:len(data)]:
                self.wrong = "other bytes came back after byte %d" % self.echoed
                return
            del self.expected[:len(data)]
            self.echoed += len(data)

    async def run(self):
        try:
            await self.open()
            receiving = asyncio.ensure_future(self.receive())
            await self.send()
            receiving.cancel()
            self.writer.close()
        except OSError as e:
            self.wrong = self.wrong or str(e)
        except asyncio.IncompleteReadError:
            self.wrong = self.wrong or "closed during the handshake"


class Tunnels:
    """A thread with n tunnels; path(i) names the i-th one's address."""

    def __init__(self, port, n, path, pause=0.1, seed=1):
        self.all = [Tunnel(port, path(i), seed * 100000 + i, pause) for i in range(n)]
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.thread.start()

    async def _run(self):
        await asyncio.gather(*(t.run() for t in self.all))

    def opened(self):
        return sum(t.opened for t in self.all)

    def wrong(self):
        return ["tunnel %d: %s" % (i, t.wrong) for i, t in enumerate(self.all) if t.wrong]

    def corrupted(self):
        """Those with other bytes, or with none although they are open: not what was closed."""
        return ["tunnel %d: %s" % (i, t.wrong) for i, t in enumerate(self.all) if t.wrong and not t.closed]

    def closed(self):
        return sum(t.closed for t in self.all)

    def echoed(self):
        return sum(t.echoed for t in self.all)

    def least(self):
        return min(t.echoed for t in self.all)

    def finish(self):
        for t in self.all:
            t.stopping = True
        self.thread.join(30)
        return self.wrong()


def serve_echo(port):
    """A thread that serves echo_client; for tests without a hub."""
    def run():
        async def main():
            server = await asyncio.start_server(echo_client, "127.0.0.1", port)
            async with server:
                await server.serve_forever()
        asyncio.run(main())
    threading.Thread(target=run, daemon=True).start()


if __name__ == "__main__":  # as a notebook server: where to listen, the hub says
    import os
    import urllib.parse

    async def main():
        url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
        server = await asyncio.start_server(echo_client, url.hostname, url.port)
        async with server:
            await server.serve_forever()
    asyncio.run(main())
