#!/usr/bin/python3
"""configurable-http-proxy's own tests, run against carrel-proxy as a program.

    make conformance CHP=DIR           DIR: a checkout of CHP with its packages
    ... FILTER=text                    only specs whose name contains it
    ... PROXY="PROGRAM ARGUMENTS"      another program, to compare

Nothing of CHP is kept here. Its tests are copied, unchanged, from the checkout
into a temporary tree in which chp/configproxy.js stands in the place of the
class that they test: what they do to it becomes flags, REST and restarts of the
program. What cannot be tested so is named in chp/skips.json with its reason, and
chp/external_spec.js has the same for a program. Tests of CHP's in-process
modules (store_spec, trie_spec) are left out.
"""
# timeout: 600
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import report
from certs import Authority
from node import version_text, why_node_is_too_old

ADAPTER = os.path.join(HERE, "chp")
NAME = "CHP's own suite"
IN_PROCESS = ("store_spec.js", "trie_spec.js")
LIMIT_S = 420


def why_not(chp):
    """Why it cannot be run; None: it can."""
    if not chp:
        return "no checkout of CHP was named (make conformance CHP=DIR)"
    if not os.path.isfile(os.path.join(chp, "test/proxy_spec.js")):
        return "%s is no checkout of configurable-http-proxy" % chp
    if not os.path.isdir(os.path.join(chp, "node_modules/jasmine")):
        return "%s has no packages (run npm install there)" % chp
    return why_node_is_too_old(20)


def enter_own_network():
    """CHP's tests use fixed ports: where it is allowed, in a network of their own."""
    if os.environ.get("CONFORMANCE_INSIDE"):
        return
    inside = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if subprocess.run(inside + ["true"], capture_output=True).returncode == 0:
        os.environ["CONFORMANCE_INSIDE"] = "1"
        os.execvp("unshare", inside + [sys.executable] + sys.argv)


def certificates(where):
    """In the layout that CHP's make_internal_ssl.py leaves."""
    authorities = {who: Authority(who) for who in ("backend", "proxy-client")}
    for who, ca in authorities.items():
        os.makedirs(os.path.join(where, who))
        key, cert = ca.issue("localhost", "IP:127.0.0.1", "IP:::1", kind="rsa")
        shutil.move(key, os.path.join(where, who, who + ".key"))
        shutil.move(cert, os.path.join(where, who, who + ".crt"))
        with open(os.path.join(where, who + "-ca_trust.crt"), "w") as f:
            for each in authorities.values():
                f.write(open(each.cert).read())
    for ca in authorities.values():
        shutil.rmtree(ca.dir)


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def build_tree(work, chp, program):
    shutil.copytree(os.path.join(chp, "test"), os.path.join(work, "test"))
    for name in IN_PROCESS:
        os.unlink(os.path.join(work, "test", name))
    os.mkdir(os.path.join(work, "bin"))
    os.mkdir(os.path.join(work, "lib"))
    shutil.copy(os.path.join(chp, "lib/testutil.js"), os.path.join(work, "lib"))
    for name in ("configproxy.js", "log.js"):
        shutil.copy(os.path.join(ADAPTER, name), os.path.join(work, "lib"))
    for name in ("external_spec.js", "helper.mjs", "reporter.mjs"):
        shutil.copy(os.path.join(ADAPTER, name), os.path.join(work, "test"))
    os.symlink(os.path.join(chp, "node_modules"), os.path.join(work, "node_modules"))
    write(os.path.join(work, "package.json"), '{"type": "module"}\n')
    write(os.path.join(work, "jasmine.json"), json.dumps({
        "spec_dir": "test", "spec_files": ["*_spec.js"], "helpers": ["helper.mjs"]}))
    # cli_spec runs this one by its name
    shim = os.path.join(work, "bin/configurable-http-proxy")
    write(shim, "#!/bin/sh\nexec %s \"$@\"\n" % shlex.join(program), 0o755)
    certificates(os.path.join(work, "test/ssl"))
    return shim


def run(work, shim, text):
    env = dict(os.environ, CONFORMANCE_PROGRAM=shim, CONFORMANCE_FILTER=text,
               CONFORMANCE_SKIPS=os.path.join(ADAPTER, "skips.json"))
    argv = ["timeout", str(LIMIT_S), "node", "--import", os.path.join(ADAPTER, "preload.mjs"),
            "node_modules/jasmine/bin/jasmine.js", "--config=jasmine.json", "--reporter=./test/reporter.mjs",
            "--random=false"]
    argv += ["--filter=" + re.escape(text)] if text else []
    process = subprocess.Popen(argv, cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace")
    is_whole = False
    for line in process.stdout:
        is_whole |= line == "conformance: the end\n"
        print(line, end="", flush=True)
    if process.wait() < 0 or not is_whole:
        report.not_ok(NAME, "jasmine did not come to its end (status %d)" % process.returncode)
    return process.returncode


def main():
    report.group("conformance")
    chp = os.environ.get("CHP", "")
    reason = why_not(chp)
    if reason:
        report.skip(NAME, reason)
        report.finish()
    enter_own_network()
    program = shlex.split(os.environ.get("PROXY", "")) or [os.path.join(report.bin_dir(), "carrel-proxy")]
    program = [os.path.abspath(w) if os.path.exists(w) else w for w in program]
    version = subprocess.run(program + ["--version"], capture_output=True, text=True)
    if version.returncode != 0:
        report.not_ok(NAME, "%s --version: %s" % (" ".join(program), version.stderr.strip()[-300:]))
        report.finish()
    commit = subprocess.run(["git", "-c", "safe.directory=*", "-C", chp, "log", "-1", "--format=%h of %cs"],
                            capture_output=True, text=True).stdout.strip()
    print("# CHP %s, node %s, program %s" % (commit or "(no git)", version_text(), version.stdout.strip()))
    work = tempfile.mkdtemp(prefix="carrel-conformance-")
    try:
        shim = build_tree(work, os.path.abspath(chp), program)
        status = run(work, shim, os.environ.get("FILTER", ""))
    finally:
        shutil.rmtree(work)
    sys.exit(1 if status else 0)


if __name__ == "__main__":
    main()
