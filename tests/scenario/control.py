#!/usr/bin/python3
"""The stories of proxy_better.py fail against proxies that do it wrong: all but two
against configurable-http-proxy, those two against lib/control_proxy.py.

The table says with which words each story must fail, so that it fails for what it
is about. A story that is not in it, or a point of the 26 without a story, is a
failure too.
"""
# timeout: 300
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), HERE, os.path.join(HERE, "../fuzz")]
import chp
import differential
import proxy_better
import proxy_world
import report
from ports import free_port
from report import claim, equal, until

# Failing against CHP: a part of the reason, or several with "|" between them.
FAILS = {
    "p01_ambiguous_framing_is_refused": "'chunks in HTTP/1.0': answered with b'HTTP/1.1 200",
    "p01_bodies_travel_as_announced": "'DELETE': the backend read",
    "p02_one_reading_of_the_path": "'//evil/user/alice/x': status, reached alice: wanted (404, False), saw (200, True)",
    "p03_the_token_comes_before_the_body": "Bearer: wanted 200, saw 403",
    "p03_bodies_are_bounded": "wanted 413, saw 201",
    "p04_words_of_the_language_are_words": "no route for constructor: wanted 404, saw 500",
    "p05_hop_by_hop_stays_here": "saw ['X-Named', 'Keep-Alive', 'TE'",
    "p05_strangers_are_not_believed": "saw ('9.9.9.9,127.0.0.1', 'https,http')",
    "p06_a_broken_answer_ends_at_once": "left hanging",
    "p07_stale_connections_cost_nothing": "wanted 200, saw 503",
    "p08_refused_upgrades_are_answered": "timed out|ended before",
    "p09_early_bytes_arrive": "timed out|ended after 5 of",
    "p10_a_port_in_use_ends_it": "it ends did not come about",
    "p10_its_own_stale_socket_is_replaced": "CHP to start did not come about",
    "p11_sigterm_drains": "ended after 0 of 3 bytes",
    "p11_routes_survive_a_restart": "the route serves: wanted b'a'",
    "p12_every_call_is_answered": "('DELETE', '/api/routes'): timed out",
    "p12_targets_are_checked": "'ftp://h': status: wanted 400, saw 201",
    "p13_dead_backends_cost_no_sockets": "when to come again",
    "p13_nothing_is_left_after_load": "memory grew|descriptors",
    "p14_http_2_at_the_front": "wanted 'h2', saw 'http/1.1'",
    "p15_heads_of_64_kib": "wanted 200, saw 431",
    "p17_trailers_and_hints_pass": "first answer: wanted 103, saw 200",
    "p17_the_backend_decides_expect": "timed out",
    "p18_heads_stay_as_they_were": "('x-b', '1, 3')",
    "p19_the_undecoded_prefix_is_cut": "saw 'GET /c/x HTTP/1.1'",
    "p19_redirects_get_the_public_port": "('pub:8443', '303')",
    "p20_bytes_from_the_backend_are_activity": "activity to be noted did not come about",
    "p21_host_names_have_no_case": "wanted b'host', saw b'default'",
    "p22_all_cores_work": "threads did",
    "p23_a_long_listing_delays_nobody": "0 of 8 requests",
    "p24_memory": "at rest",
    "p25_certificates_are_reloaded": "",  # it ends at SIGHUP: no connection, or a reset one
    "p25_who_asks_what_is_logged_without_secrets": "",  # an unknown option
    "p25_a_route_has_limits_of_its_own": "timed out|wanted 503",
    "p25_a_client_cannot_ask_without_end": "",  # an unknown option
    "p25_metrics_are_for_who_has_the_token": "",  # an unknown option
    "p26_it_starts_in_milliseconds": "s of CPU",
}
# CHP does these well enough: its limit on a whole upload is five minutes.
FAILS_ELSEWHERE = {
    "p16_uploads_have_an_idle_limit": "",
    "p17_half_close": "wanted b'sum 1000'",
}
N_POINTS = 26


class WrongProxy(chp.ChpProxy):
    """lib/control_proxy.py, which ends everything after two seconds."""

    def __init__(self, *args, default=None, **kw):
        self.dir = tempfile.mkdtemp(prefix="carrelt-control-")
        self.out_path = os.path.join(self.dir, "out")
        self.port, self.api_port = free_port(), free_port()
        self.public = ("127.0.0.1", self.port)
        self.args = [sys.executable, os.path.join(HERE, "../lib/control_proxy.py"), str(self.port),
                     str(self.api_port), "2"]
        self.env = dict(os.environ)
        self.start()
        self.add("/", default)


def fails(story, program, text):
    def test():
        proxy_better.Proxy = program
        try:
            proxy_better.run(story)
        except (report.Failure, OSError, EOFError) as e:
            claim(any(t in str(e) for t in text.split("|")), "it fails for another reason: %s: %s" % (type(e).__name__, e))
        else:
            raise report.Failure("it passes: this story tests nothing")
    return "%s fails against %s" % (story.__name__, "CHP" if program is chp.ChpProxy else "a wrong proxy"), test


def the_recorder_sees_a_second_request():
    """CHP forwards the body of a DELETE in chunks without its framing: a request of its own."""
    recorder, seen = differential.Recorder(), []
    p = chp.ChpProxy(default=recorder.url)
    proxy_better.started.append(p)
    inner = b"GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n"
    s = p.connect().send(b"DELETE / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                         % (len(inner), inner))

    def is_seen():
        seen.extend(m.target for m in recorder.collect()[0])
        return b"/smuggled" in seen
    try:
        until("a second request behind CHP", 5, is_seen)
    finally:
        s.close()
        proxy_better.stop_all()


def every_point_has_its_story():
    names = {f.__name__ for f in proxy_better.STORIES}
    equal(names ^ (set(FAILS) | set(FAILS_ELSEWHERE)), set(), "stories that are not in both places")
    equal({int(n[1:3]) for n in names}, set(range(1, N_POINTS + 1)), "points with a story")


def main():
    report.group("proxy", "control")
    proxy_world.LIMIT = 3
    proxy_better.N_ROUTES = 30000
    tests = [("every point has its story", every_point_has_its_story)]
    against = [(FAILS_ELSEWHERE, WrongProxy)]
    reason = chp.missing()
    if not reason:
        against.append((FAILS, chp.ChpProxy))
        tests.append(("fuzz/differential.py sees what CHP lets through", the_recorder_sees_a_second_request))
    for table, program in against:
        for story in proxy_better.STORIES:
            if story.__name__ in table:
                tests.append(fails(story, program, table[story.__name__]))
    wanted = sys.argv[1:]
    report.run([t for t in tests if not wanted or t[0].split(" ")[0] in wanted])
    if reason:
        report.skip("the stories fail against CHP", reason)
    report.finish()


if __name__ == "__main__":
    main()
