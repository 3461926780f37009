"""A client that speaks HTTP/2 by Debian's python3-h2, with nothing checked on
its side, and frame by frame where a test wants to misbehave."""
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

import report
from certs import Authority
from ports import free_port
from proxy_world import LIMIT, Backend, Proxy, Sock, echo, read_response

# Error codes (RFC 9113 7)
NO_ERROR, PROTOCOL, CANCEL, CALM = 0x0, 0x1, 0x8, 0xb


class Answer:
    """What came on one stream."""

    def __init__(self):
        self.status, self.fields, self.body, self.trailers = None, [], b"", []
        self.interim, self.done, self.reset = [], False, None

    def all(self, name):
        return [v for k, v in self.fields if k == name]

    def get(self, name):
        found = self.all(name)
        return found[0] if found else None


class Client:
    def __init__(self, port, ca, name="alpha.test", version=None, session=None, reads=True):
        self.context = context = ssl.create_default_context(cafile=ca)
        if version:
            context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.name, self.reads = name, reads
        plain = socket.create_connection(("127.0.0.1", port), LIMIT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(plain, server_hostname=name, session=session)
        report.equal(self.sock.selected_alpn_protocol(), "h2", "ALPN")
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False, validate_inbound_headers=True)
        self.h2 = h2.connection.H2Connection(config)
        self.streams, self.goaways, self.ended, self.acks = {}, [], False, 0
        self.pings, self.settings, self.came = [], {}, b""
        self.h2.initiate_connection()
        self.flush()

    # ---- sending

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def frame(self, kind, flags=0, stream=0, payload=b""):
        """One frame as raw bytes."""
        return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload)

    def raw(self, data):
        self.flush()
        self.sock.sendall(data)

    def fields(self, path, method="GET", more=(), authority=None, scheme="https"):
        return [(":method", method), (":scheme", scheme), (":authority", authority or self.name),
                (":path", path)] + list(more)

    def open(self, fields, end=True, at_once=True):
        stream = self.h2.get_next_available_stream_id()
        self.streams[stream] = Answer()
        self.h2.send_headers(stream, fields, end_stream=end)
        if at_once:
            self.flush()
        return stream

    def body(self, stream, data, end=True):
        """All of it, as the windows allow."""
        view = memoryview(data)
        while True:
            n = min(len(view), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if n == 0 and len(view) > 0:
                self.more()
                continue
            self.h2.send_data(stream, bytes(view[:n]), end_stream=end and n == len(view))
            self.flush()
            view = view[n:]
            if len(view) == 0:
                return

    # ---- receiving

    def more(self):
        """One read; False at the end."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if not data:
            self.ended = True
            return False
        self.came += data
        while len(self.came) >= 9 and len(self.came) >= 9 + int.from_bytes(self.came[:3], "big"):
            n = 9 + int.from_bytes(self.came[:3], "big")
            frame, self.came = self.came[:n], self.came[n:]
            for event in self.h2.receive_data(frame):
                self.take(event)
            # for python3-h2 a GOAWAY is the end, and not its announcement
            machine = self.h2.state_machine
            if self.goaways and machine.state == h2.connection.ConnectionState.CLOSED:
                machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        try:
            self.flush()
        except OSError:
            pass
        return True

    def take(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.error_code, event.last_stream_id))
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings.update({k: v.new_value for k, v in event.changed_settings.items()})
        elif isinstance(event, h2.events.SettingsAcknowledged):
            self.acks += 1
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings.append(event.ping_data)
        elif stream is None:
            return
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.interim.append(event.headers)
        elif isinstance(event, h2.events.ResponseReceived):
            stream.status = int(dict(event.headers)[":status"])
            stream.fields = [(k, v) for k, v in event.headers if k != ":status"]
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            if self.reads and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            stream.done = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = event.error_code

    def until(self, ready):
        while not ready():
            if self.ended or not self.more():
                return False
        return True

    def wait(self, stream):
        """The whole answer."""
        answer = self.streams[stream]
        self.until(lambda: answer.done or answer.reset is not None)
        return answer

    def ask(self, path, method="GET", more=(), body=None, **named):
        stream = self.open(self.fields(path, method, more, **named), end=body is None)
        if body is not None:
            self.body(stream, body)
        return self.wait(stream)

    def end_reason(self):
        """The connection ends: the code of its GOAWAY."""
        self.until(lambda: self.goaways)
        while not self.ended:
            self.more()
        return self.goaways[-1][0] if self.goaways else None

    def resumes(self, port):
        """Does another connection resume the session of this one?"""
        plain = socket.create_connection(("127.0.0.1", port), LIMIT)
        with self.context.wrap_socket(plain, server_hostname=self.name, session=self.sock.session) as s:
            return s.session_reused

    def close(self):
        self.sock.close()


class World:
    """A proxy with TLS, metrics, a route to an echo, and one to nobody."""

    def __init__(self):
        self.authority = Authority()
        self.certificate = self.authority.issue("alpha.test", "IP:127.0.0.1")
        self.args = ["--ssl-key", self.certificate[0], "--ssl-cert", self.certificate[1]]
        self.backend = Backend(echo)
        self.metrics_port = free_port()
        self.proxy = Proxy(*self.args, "--metrics-ip", "127.0.0.1", "--metrics-port", str(self.metrics_port))
        self.proxy.add("/x", self.backend.url)
        self.proxy.add("/dead", "http://127.0.0.1:%d" % free_port())

    def client(self, port=None, **named):
        return Client(port or self.proxy.port, self.authority.cert, **named)

    def metrics(self):
        s = Sock(socket.create_connection(("127.0.0.1", self.metrics_port), LIMIT))
        s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        body = read_response(s)[1].decode()
        s.close()
        return {k: float(v) for k, v in (l.rsplit(" ", 1) for l in body.splitlines() if l[0] != "#")}

    def run(self, tests):
        report.run(tests, lambda: print("---- the proxy said:\n" + self.proxy.output()[-3000:]))
        self.proxy.stop()
        report.finish()
