#!/usr/bin/python3
"""Servers of real accounts under the real carrel-spawner as root: who they run
as, how they end, what a restart finds.

timeout: 180
"""
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../lib"))
import spawner_bench
from accounts import run
from report import claim
from spawner_bench import (
    POLICY, Hub, Server, Skip, Spawner, UserSpawner, expect_login, is_alive,
    login, read, until)


def test_server_runs_as_its_person(b):
    env = {"JUPYTERHUB_SERVICE_PREFIX": "/user/a/", "JPY_API_TOKEN": "tok"}
    s = Server(b.spawner, b.alice.name, env=env).started()
    status = s.status()
    want = [str(b.alice.uid)] * 4
    claim(status["Uid"].split() == want, "uids " + status["Uid"])
    claim(status["Gid"].split() == [str(b.alice.gid)] * 4, "gids")
    groups = {int(x) for x in status["Groups"].split()}
    claim(groups == set(os.getgrouplist(b.alice.name, b.alice.gid)),
          "groups %r" % groups)
    claim(status["NoNewPrivs"] == "1", "no_new_privs")
    for name in "CapInh", "CapPrm", "CapEff", "CapAmb":
        claim(int(status[name], 16) == 0, name + " " + status[name])
    # Python itself, which the server here is, ignores these two.
    own = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    claim(int(status["SigBlk"], 16) == 0 and int(status["SigIgn"], 16) & ~own == 0,
          "signals are blocked %s or ignored %s" % (status["SigBlk"], status["SigIgn"]))
    # CVE-2022-39286: settings are read from nowhere that others write.
    claim(os.readlink("/proc/%d/cwd" % s.pid) == b.alice.home, "cwd")
    fds = sorted(os.listdir("/proc/%d/fd" % s.pid), key=int)
    claim(fds == ["0", "1", "2"], "descriptors %r" % fds)
    claim(os.getsid(s.pid) == s.pid, "no session of its own")
    got = dict(x.split("=", 1) for x in s.proc("environ").split("\0") if x)
    claim(got == {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "FROM_PROFILE": "1",
        "HOME": b.alice.home, "USER": b.alice.name, "LOGNAME": b.alice.name,
        "SHELL": "/bin/bash", "JPY_API_TOKEN": "tok",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/a/",
        "JUPYTERHUB_SERVICE_URL": "http://%s/user/a/" % s.address,
    }, "environment %r" % got)
    claim("/carrel/" + s.key in s.proc("cgroup"), "no cgroup of its own")
    # CVE-2020-26261: no other account reads the token.
    claim("tok" not in s.proc("cmdline"), "the token stands in argv")
    claim(os.stat("/proc/%d/environ" % s.pid).st_mode & 0o077 == 0, "others read the environment")
    keeper = int(s.proc("stat").rpartition(")")[2].split()[1])
    claim("tok" not in read("/proc/%d/cmdline" % keeper) +
          read("/proc/%d/environ" % keeper), "token at the keeper")
    claim(os.getsid(keeper) == keeper, "the keeper has no session of its own")
    end = s.stop()
    claim(end["asked"] and end["signal"] == signal.SIGINT, "%r" % end)
    until(lambda: not read("/sys/fs/cgroup/unified/carrel/%s/"
                                "cgroup.procs" % s.key) and not
               os.path.exists("/sys/fs/cgroup/unified/carrel/" + s.key),
               "cgroup removed")
    until(lambda: s.key not in os.listdir(b.spawner.run_dir + "/servers"),
               "directory removed")


def test_profile_may_allow_new_privileges(b):
    s = Server(b.spawner, b.alice.name, "loose").started()
    claim(s.status()["NoNewPrivs"] == "0", "no_new_privs is set")
    s.stop()


def test_spawner_and_keeper_keep_few_capabilities(b):
    s = Server(b.spawner, b.alice.name).started()
    keeper = int(s.proc("stat").rpartition(")")[2].split()[1])
    # chown dac_override fowner kill setgid setuid setpcap sys_resource
    # audit_write audit_control
    allowed = sum(1 << n for n in (0, 1, 3, 5, 6, 7, 8, 24, 29, 30))
    for pid in b.spawner.process.pid, keeper:
        for line in read("/proc/%d/status" % pid).splitlines():
            if line.startswith(("CapPrm", "CapEff")):
                value = int(line.split()[1], 16)
                claim(value & ~allowed == 0, "pid %d: %s" % (pid, line))
    s.stop()


def test_root_and_system_accounts_get_no_server(b):
    for name in "root", "daemon", "nobody", "carrelnobody":
        m = Server(b.spawner, name).failed("account")
        claim(name in m["text"], "%r" % m)


def test_expired_account_gets_no_server(b):
    run("usermod", "-e", "2020-01-01", b.bob.name)
    try:
        Server(b.spawner, b.bob.name).failed("account")
    finally:
        run("usermod", "-e", "", b.bob.name)


def test_missing_home_is_told(b):
    os.rename(b.bob.home, b.bob.home + ".away")
    try:
        m = Server(b.spawner, b.bob.name).failed("account")
        claim(b.bob.home in m["text"], "%r" % m)
    finally:
        os.rename(b.bob.home + ".away", b.bob.home)


def test_hub_sets_no_other_environment(b):
    for name in "LD_PRELOAD", "PATH", "JUPYTERHUB_SERVICE_URL", "A=B":
        Server(b.spawner, b.alice.name, env={name: "x"}).failed("profile")


def test_unknown_profile_and_missing_program_are_told(b):
    m = Server(b.spawner, b.alice.name, "nope").failed("profile")
    claim("nope" in m["text"], "%r" % m)
    m = Server(b.spawner, b.alice.name, "broken").failed("exec")
    claim("/nonexistent/program" in m["text"] and
          "No such file" in m["text"], "%r" % m)


def test_exit_brings_status_and_last_lines(b):
    s = Server(b.spawner, b.alice.name, "noisy").started()
    end = s.exited()
    claim(end["status"] == 3 and end["signal"] == 0 and not end["asked"],
          "%r" % end)
    claim("first line\n" in end["tail"] and "no module: x" in end["tail"],
          "%r" % end["tail"])


def test_long_log_is_bounded_and_clean(b):
    s = Server(b.spawner, b.alice.name, "flood").started()
    end = b.spawner.hub.expect("EXITED", key=s.key)
    size = sum(os.path.getsize(os.path.join(
        b.spawner.run_dir, "servers", s.key, n)) for n in ("log", "log.1"))
    claim(size <= 2 * 256 * 1024, "the log has %d bytes" % size)
    b.spawner.hub.say("ACK", key=s.key)
    tail = end["tail"]
    claim(len(tail.encode()) <= 8192 and tail.startswith("line "), "tail")
    claim(tail.endswith("end red ?? x\n"), "%r" % tail[-40:])


def test_memory_limit_is_reported_as_oom(b):
    if not os.path.isdir("/sys/fs/cgroup/memory") and \
            "memory" not in read("/sys/fs/cgroup/cgroup.controllers"):
        raise Skip("this machine has no memory controller")
    s = Server(b.spawner, b.alice.name, "small").started()
    end = s.exited()
    claim(end["oom"] and end["signal"] == signal.SIGKILL, "%r" % end)


def test_limits_are_set(b):
    s = Server(b.spawner, b.alice.name, "limited").started()
    paths = [line.split(":") for line in s.proc("cgroup").splitlines()]
    names = dict((x[1], x[2]) for x in paths)
    want = (("pids", "pids.max", "20"), ("cpu", "cpu.cfs_quota_us", "50000"),
            ("memory", "memory.limit_in_bytes", str(100 << 20)))
    for controller, file, value in want:
        if controller in names:
            got = read("/sys/fs/cgroup/%s%s/%s" % (
                controller, names[controller], file)).strip()
            claim(got == value, "%s is %s" % (file, got))
    own = "/sys/fs/cgroup" + names.get("", "")
    want = (("pids.max", "20"), ("cpu.max", "50000 100000"),
            ("memory.max", str(100 << 20)))
    for file, value in want:
        if os.path.exists(os.path.join(own, file)):
            got = read(os.path.join(own, file)).strip()
            claim(got == value, "%s is %s" % (file, got))
    env = s.proc("environ").split("\0")
    claim("MEM_LIMIT=%d" % (100 << 20) in env and "CPU_LIMIT=0.500" in env,
          "%r" % env)
    s.stop()


def test_stop_takes_the_whole_tree(b):
    pid_file = os.path.join(b.alice.home, "orphan.pid")
    with contextlib.suppress(OSError):
        os.unlink(pid_file)
    s = Server(b.spawner, b.alice.name, "orphans").started()
    orphan = int(until(lambda: read(pid_file), "the orphan runs"))
    claim(is_alive(orphan), "no orphan")
    s.stop(grace_ms=500)
    claim(not is_alive(orphan), "the orphan %d outlived the stop" % orphan)


def test_end_of_the_server_takes_the_tree_along(b):
    pid_file = os.path.join(b.alice.home, "orphan.pid")
    with contextlib.suppress(OSError):
        os.unlink(pid_file)
    s = Server(b.spawner, b.alice.name, "orphans").started()
    orphan = int(until(lambda: read(pid_file), "the orphan runs"))
    os.kill(s.pid, signal.SIGKILL)
    end = s.exited()
    claim(end["signal"] == signal.SIGKILL and not end["asked"], "%r" % end)
    claim(not is_alive(orphan), "the orphan outlived the server")


def test_a_stranger_with_the_log_pipe_keeps_nothing_alive(b):
    """Its owner hands the pipe to a process elsewhere, which writes on."""
    with tempfile.TemporaryDirectory() as place, \
            socket.socket(socket.AF_UNIX) as door:
        os.chmod(place, 0o755)
        door.bind(place + "/door")
        os.chmod(place + "/door", 0o666)
        door.listen()
        door.settimeout(20)
        policy = POLICY + """
  lends:
    command:
      - /usr/bin/python3
      - -c
      - |
        import socket, time
        s = socket.socket(socket.AF_UNIX)
        s.connect("%s/door")
        socket.send_fds(s, [b"x"], [1])
        time.sleep(1000)
""" % place
        with contextlib.closing(Spawner(b, policy)) as spawner:
            s = Server(spawner, b.alice.name, "lends").started()
            peer, _ = door.accept()
            _, fds, _, _ = socket.recv_fds(peer, 1, 1)
            peer.close()
            fcntl.fcntl(fds[0], fcntl.F_SETPIPE_SZ, 1 << 20)
            writers = [subprocess.Popen(["/usr/bin/yes"], stdout=fds[0])
                       for _ in range(6)]
            os.close(fds[0])
            try:
                begin = time.monotonic()
                s.stop(0)
                took = time.monotonic() - begin
                claim(took < 3, "the end came after %.1f s" % took)
            finally:
                for writer in writers:
                    writer.kill()
                    writer.wait()


def test_a_second_spawner_touches_nothing(b):
    s = Server(b.spawner, b.alice.name).started()
    done = subprocess.run(b.spawner.argv(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=20)
    claim(done.returncode == 1 and "is in use" in done.stdout,
          "%d %s" % (done.returncode, done.stdout))
    claim("adopted" not in done.stdout, "it took servers: " + done.stdout)
    s.stop()


def test_keepers_directory_of_another_account_is_refused(b):
    """Its owner could put a state.json there that names any process."""
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(place + "/servers")
        os.chown(place + "/servers", b.alice.uid, b.alice.gid)
        done = subprocess.run(
            b.spawner.argv("--list", "--run-dir", place), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        claim(done.returncode == 1 and "belongs to" in done.stdout,
              "%d %s" % (done.returncode, done.stdout))


def test_stop_kills_what_does_not_listen(b):
    s = Server(b.spawner, b.alice.name, "stubborn").started()
    s.until_says("up")
    begin = time.monotonic()
    end = s.stop(grace_ms=300)
    took = time.monotonic() - begin
    claim(end["signal"] == signal.SIGKILL, "%r" % end)
    claim(0.5 < took < 4, "took %.2f s" % took)
    s = Server(b.spawner, b.alice.name, "stubborn").started()
    s.until_says("up")
    b.spawner.hub.say("STOP", key=s.key, grace_ms=60000)
    b.spawner.hub.say("STOP", key=s.key, grace_ms=0)
    begin = time.monotonic()
    s.exited()
    claim(time.monotonic() - begin < 3, "a second stop did not hurry")


def test_listener_of_another_account_fails_the_start(b):
    s = Server(b.spawner, b.alice.name).started()
    host, port = s.address.split(":")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen()
        m = s.failed("listener")
    claim("port " + port in m["text"], "%r" % m)
    until(lambda: not is_alive(s.pid), "the server is ended")


def test_listener_that_comes_later_ends_the_server(b):
    """Its own listener was seen; then the server closes it and lives on."""
    policy = POLICY + """
  closes:
    command:
      - /usr/bin/python3
      - -c
      - |
        import os, socket, time, urllib.parse
        url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
        with socket.create_server((url.hostname, url.port)):
            print("open", flush=True)
            time.sleep(1)
        print("closed", flush=True)
        time.sleep(1000)
    environment: {PATH: /usr/bin:/bin}
"""
    env = {"JUPYTERHUB_SERVICE_PREFIX": "/user/a/"}
    with contextlib.closing(Spawner(b, policy)) as spawner:
        s = Server(spawner, b.alice.name, "closes", env=env).started()
        s.until_says("closed")
        host, port = s.address.split(":")
        with socket.create_server((host, int(port))):
            m = s.failed("listener")
        claim("port " + port in m["text"], "%r" % m)
        until(lambda: not is_alive(s.pid), "the server is ended")


def listed(spawner, server):
    spawner.hub.say("LIST")
    m = spawner.hub.expect("SERVER", key=server.key)
    spawner.hub.expect("LIST_END")
    return m


def test_ready_is_said_when_its_own_account_listens(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name, "listener").started()
        s.hub.expect("READY", key=server.key)
        s.hub.say("LIST")
        claim(s.hub.expect("SERVER", key=server.key)["ready"], "not ready")
        deaf = Server(s, b.alice.name).started()
        s.kill()
        s.start()
        until(lambda: listed(s, server)["ready"], "it is known again")
        claim(not listed(s, deaf)["ready"], "ready without a listener")
        server.stop(0)
        deaf.stop(0)


def test_port_range_holds(b):
    policy = POLICY + "port_range: 28871-28872\n"
    with contextlib.closing(Spawner(b, policy)) as s:
        servers = [Server(s, b.alice.name).started() for _ in range(2)]
        ports = sorted(x.address for x in servers)
        claim(ports == ["127.0.0.1:28871", "127.0.0.1:28872"], "%r" % ports)
        m = Server(s, b.alice.name).failed("limit")
        claim("port_range" in m["text"], "%r" % m)
        for x in servers:
            x.stop(0)


def test_limits_on_servers_hold(b):
    policy = POLICY + "max_servers: 1\n"
    with contextlib.closing(Spawner(b, policy)) as s:
        first = Server(s, b.alice.name).started()
        Server(s, b.bob.name).failed("limit")
        s.hub.say("START", key=first.key, account=b.bob.name,
                  profile="default", env={})
        m = s.hub.expect("FAILED", key=first.key)
        claim(m["code"] == "exists", "%r" % m)
        first.stop(0)


def test_list_and_tail(b):
    s = Server(b.spawner, b.alice.name).started()
    hub = b.spawner.hub
    hub.say("LIST")
    m = hub.expect("SERVER", key=s.key)
    claim((m["account"], m["profile"], m["pid"], m["address"]) ==
          (b.alice.name, "default", s.pid, s.address), "%r" % m)
    hub.expect("LIST_END")
    hub.say("TAIL", key=s.key)
    hub.expect("TAIL_REPLY", key=s.key)
    s.stop()


# ---- restarts -------------------------------------------------------------

def test_killed_spawner_finds_its_servers_again(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        for signo in signal.SIGKILL, signal.SIGTERM, signal.SIGABRT:
            s.kill(signo)
            claim(is_alive(server.pid), "the server died")
            s.start()
            s.hub.say("LIST")
            m = s.hub.expect("SERVER", key=server.key)
            claim((m["pid"], m["address"], m["account"]) ==
                  (server.pid, server.address, b.alice.name), "%r" % m)
            s.hub.expect("LIST_END")
        end = server.stop()
        claim(end["asked"], "%r" % end)


def test_end_while_the_spawner_is_down_is_told_until_acknowledged(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        keeper = int(server.proc("stat").rpartition(")")[2].split()[1])
        s.kill()
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: not is_alive(keeper), "the keeper ends")
        s.start()
        for _ in range(2):
            end = s.hub.expect("EXITED", key=server.key)
            claim(end["signal"] == signal.SIGTERM and not end["asked"],
                  "%r" % end)
            s.connect()
        s.hub.expect("EXITED", key=server.key)
        s.hub.say("ACK", key=server.key)
        until(lambda: not os.listdir(s.run_dir + "/servers"), "forgotten")
        s.kill()
        s.start()
        s.hub.say("LIST")
        s.hub.expect("LIST_END")
        claim(not s.hub.waiting, "%r" % s.hub.waiting)


def test_killed_keeper_ends_its_server(b):
    pid_file = os.path.join(b.alice.home, "orphan.pid")
    for spawner_runs in True, False:
        with contextlib.suppress(OSError):
            os.unlink(pid_file)
        with contextlib.closing(Spawner(b, POLICY)) as s:
            server = Server(s, b.alice.name, "orphans").started()
            orphan = int(until(lambda: read(pid_file), "the orphan runs"))
            keeper = int(server.proc("stat").rpartition(")")[2].split()[1])
            if not spawner_runs:
                s.kill()
            os.kill(keeper, signal.SIGKILL)
            if not spawner_runs:
                s.start()
            end = server.exited()
            claim(end["signal"] == signal.SIGKILL, "%r" % end)
            claim(not is_alive(server.pid) and not is_alive(orphan),
                  "processes are left")


def test_half_made_directory_is_removed(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        s.kill()
        os.mkdir(s.run_dir + "/servers/00000000000000aa")
        s.start()
        until(lambda: not os.listdir(s.run_dir + "/servers"), "removed")


def test_other_process_with_the_same_pid_is_not_adopted(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        s.kill()
        path = "%s/servers/%s/state.json" % (s.run_dir, server.key)
        state = json.loads(read(path))
        keeper = state["keeper_pid"]
        os.kill(keeper, signal.SIGKILL)
        until(lambda: not is_alive(keeper), "killed")
        with subprocess.Popen(["sleep", "100"]) as innocent:
            try:
                state["keeper_pid"] = innocent.pid
                with open(path, "w") as f:
                    json.dump(state, f)
                s.start()
                server.exited()
                claim(innocent.poll() is None, "an innocent process died")
            finally:
                innocent.kill()


def test_list_and_stop_all_without_a_spawner(b):
    with contextlib.closing(Spawner(b, POLICY)) as s:
        server = Server(s, b.alice.name).started()
        s.kill()
        out = subprocess.run(s.argv("--list"), stdout=subprocess.PIPE,
                             check=True, timeout=30).stdout.decode()
        claim(out.split()[:2] == [server.key, b.alice.name], out)
        run(*s.argv("--stop-all"))
        claim(not is_alive(server.pid), "still alive")
        s.start()
        claim(s.hub.expect("EXITED", key=server.key)["asked"], "asked")


# ---- the wire -------------------------------------------------------------

BAD_PACKETS = [
    b"", b"x", b"{}", b"[]", b'{"type":"NOPE"}', b'{"type":1}',
    b'{"type":"LIST","more":1}', b'{"type":"HELLO","version":1}',
    b'{"type":"STOP","key":"x"}', b'{"type":"STOP","key":"ZZZZZZZZZZZZZZZZ"}',
    b'{"type":"STOP","key":"0000000000000000","grace_ms":-5}',
    b'{"type":"STOP","key":"../../../../../.","grace_ms":5}',
    b'{"type":"AUTH_BEGIN","id":0,"account":"a","rhost":""}',
    b'{"type":"AUTH_BEGIN","id":1,"account":"","rhost":""}',
    b'{"type":"AUTH_BEGIN","id":1,"account":"' + b"a" * 300 +
    b'","rhost":""}',
    b'{"type":"AUTH_REPLY","id":1,"reply":"' + b"a" * 600 + b'"}',
    b'{"type":"START","key":"0000000000000000","account":"a","profile":"p",'
    b'"env":[]}',
    b'{"type":"TAIL","key":"0000000000000000","key":"0000000000000001"}',
    b'{"type":"LIST"' + b" " * 66000 + b"}", b"[" * 5000, b'{"type":"LIST"}x',
    b'{"type":"LI\xffST"}',
]


def test_bad_input_closes_the_connection_and_nothing_else(b):
    s = Server(b.spawner, b.alice.name).started()
    for packet in BAD_PACKETS:
        hub = b.spawner.connect()
        if packet:
            hub.raw(packet)
        else:
            hub.sock.shutdown(socket.SHUT_WR)
        claim(hub.closed_by_peer(), "not closed after %r" % packet[:60])
    claim(b.spawner.process.poll() is None, "the spawner died")
    claim(is_alive(s.pid), "the server died")
    b.spawner.connect()
    s.stop()


def test_nothing_is_heard_before_hello(b):
    other = Hub(b.spawner.socket, hello=False)
    other.say("LIST")
    claim(other.closed_by_peer(), "LIST was heard before HELLO")


def test_second_hub_is_refused_while_the_first_lives(b):
    other = Hub(b.spawner.socket, hello=False)
    other.say("HELLO", version=5)
    claim(other.closed_by_peer(), "two hubs at once")
    b.spawner.hub.say("LIST")
    b.spawner.hub.expect("LIST_END")


def test_older_hub_is_refused(b):
    other = Hub(b.spawner.socket, hello=False)
    other.say("HELLO", version=1)
    claim(other.closed_by_peer(), "a hub that knows no READY was welcomed")


def test_other_account_is_refused(b):
    os.chmod(b.spawner.socket, 0o666)
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX,"
            "socket.SOCK_SEQPACKET); s.settimeout(5); s.connect(sys.argv[1]);"
            "s.send(b'{\"type\":\"HELLO\",\"version\":5}');"
            "sys.exit(0 if s.recv(100)==b'' else 1)")
    try:
        done = subprocess.run(
            ["setpriv", "--reuid", str(b.bob.uid), "--clear-groups",
             "/usr/bin/python3", "-c", code, b.spawner.socket], timeout=20,
            stderr=subprocess.PIPE)
        claim(done.returncode == 0 or b"Broken pipe" in done.stderr or
              b"reset" in done.stderr, done.stderr.decode()[-300:])
    finally:
        os.chmod(b.spawner.socket, 0o600)


def test_no_descriptor_or_zombie_is_left(b):
    pid = b.spawner.process.pid

    def count():
        return len(os.listdir("/proc/%d/fd" % pid))

    b.spawner.connect()
    before = count()
    for _ in range(5):
        expect_login(b, b.alice.name, b.alice.password, "success")
        Server(b.spawner, b.alice.name).started().stop(0)
    until(lambda: count() == before,
               "%d descriptors before, %d after" % (before, count()))
    zombies = [e for e in os.listdir("/proc") if e.isdigit() and
               read("/proc/%s/stat" % e).rpartition(")")[2].split()[:2] ==
               ["Z", str(pid)]]
    claim(not zombies, "zombies %r" % zombies)


def test_twenty_starts_at_once(b):
    servers = [Server(b.spawner, (b.alice, b.bob)[i % 2].name)
               for i in range(20)]
    for s in servers:
        m = b.spawner.hub.expect("STARTED", key=s.key)
        s.pid, s.address = m["pid"], m["address"]
    claim(len({s.address for s in servers}) == 20, "a port was given twice")
    for s in servers:
        b.spawner.hub.say("STOP", key=s.key, grace_ms=2000)
    for s in servers:
        s.exited()


# ---- an ordinary user -----------------------------------------------------

USER_POLICY = """
profiles:
  default: {command: [/bin/sleep, "1000"]}
  any: {kind: simple, command: [/bin/sleep, "1000"]}
"""


def test_single_account_mode_serves_its_account_alone(b):
    b.service("user", "auth required pam_unix.so\n"
                      "account required pam_unix.so\n"
                      "session required pam_unix.so\n")
    policy = "pam_service: user\n" + USER_POLICY
    # The socket admits the spawner's own account: root may not connect.
    with contextlib.closing(UserSpawner(b, policy, b.alice)) as s:
        end, _ = login(s.hub, b.alice.name, b.alice.password)
        claim(end["code"] == "success", "%r" % end)
        end, _ = login(s.hub, b.bob.name, b.bob.password)
        claim(end["code"] == "denied", "%r" % end)
        server = Server(s, b.alice.name).started()
        claim(server.status()["Uid"].split()[0] == str(b.alice.uid), "uid")
        server.stop()
        Server(s, b.bob.name).failed("account")
        server = Server(s, "somebody", "any").started()
        claim(server.status()["Uid"].split()[0] == str(b.alice.uid), "uid")
        server.stop()


def test_simple_does_not_exist_as_root(b):
    path = os.path.join(b.dir, "simple.yaml")
    with open(path, "w") as f:
        f.write(USER_POLICY)
    done = subprocess.run([spawner_bench.SPAWNER, "--check", "--config", path],
                          stderr=subprocess.PIPE)
    claim(done.returncode != 0 and b"simple" in done.stderr, "%r" % done)


def test_policy_that_everybody_can_write_is_refused(b):
    path = os.path.join(b.dir, "open.yaml")
    with open(path, "w") as f:
        f.write(POLICY)
    os.chmod(path, 0o666)
    done = subprocess.run([spawner_bench.SPAWNER, "--check", "--config", path],
                          stderr=subprocess.PIPE)
    claim(done.returncode != 0 and b"chmod" in done.stderr, "%r" % done)


spawner_bench.run_all("root", spawner_bench.tests_of(sys.modules[__name__]))
