#!/usr/bin/python3
"""How tornado reads what is sent here. A line of JSON when a connection ends: the
peer's port, and each request that came whole."""
import asyncio
import base64
import json
import logging
import sys

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate, ResponseStartLine, HTTPHeaders
from tornado.netutil import bind_sockets


def text(s):
    return base64.b64encode(s.encode("latin-1") if isinstance(s, str) else s).decode()


class Request(HTTPMessageDelegate):
    def __init__(self, connection, seen):
        self.connection, self.seen, self.body = connection, seen, b""

    def headers_received(self, start_line, headers):
        self.line, self.headers = start_line, headers

    def data_received(self, chunk):
        self.body += chunk

    def finish(self):
        fields = [x for pair in self.headers.get_all() for x in map(text, pair)]
        self.seen.append({"method": self.line.method, "target": text(self.line.path), "fields": fields,
                          "body": text(self.body)})
        self.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "0"}))
        self.connection.finish()


class Reader(HTTPServerConnectionDelegate):
    def __init__(self):
        self.seen = {}

    def start_request(self, server_conn, request_conn):
        address = server_conn.context.address
        return Request(request_conn, self.seen.setdefault(address[1], []))


class Server(HTTPServer):
    """Says when a connection has ended."""

    def initialize(self, reader):
        super().initialize(reader, max_header_size=1 << 18, max_body_size=1 << 24)
        self.reader = reader

    def on_close(self, server_conn):
        super().on_close(server_conn)
        port = server_conn.context.address[1]
        print(json.dumps({"port": port, "seen": self.reader.seen.pop(port, [])}), flush=True)


async def main():
    logging.disable(logging.CRITICAL)
    server = Server(Reader())
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.get_event_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
