#!/usr/bin/python3
"""docs/login.md, docs/login-lti.md: every sample is a configuration that the hub takes, and every option of a provider stands there."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import report
from report import claim

report.group("table")
HUB = os.path.join(report.bin_dir(), "carrel-hub")


def text(path):
    with open(os.path.join(report.source_dir(), path)) as f:
        return f.read()


def samples(page="docs/login.md"):
    """Each provider of the page as a configuration of its own."""
    for block in re.findall(r"```yaml\n(.*?)```", text(page), re.S):
        if not block.startswith("- "):
            yield block
            continue
        for item in re.split(r"(?m)^(?=- )", block)[1:]:
            yield ("hub: {public_url: https://hub.example.org}\nauth:\n  type: none\n  allow_all: true\n"
                   "  providers:\n" + re.sub("(?m)^", "    ", item))


def service_account():
    """A key file such as Google's console gives out."""
    key = subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA"], capture_output=True, text=True,
                         check=True).stdout
    return json.dumps({"type": "service_account", "private_key": key, "client_email": "hub@hub.example",
                       "token_uri": "https://oauth2.googleapis.com/token"})


def check(config):
    config = re.sub(r"client_secret_file: \S+", "client_secret: x", config)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f, tempfile.NamedTemporaryFile("w") as key:
        if "service_account" in config:
            key.write(service_account())
            key.flush()
        f.write(re.sub(r"(google_service_account_keys: \{[\w.]+: )[^}]+", lambda m: m.group(1) + key.name, config))
        f.flush()
        return subprocess.run([HUB, "--check", "--config", f.name], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def all_are_taken():
    found = list(samples())
    claim(len(found) >= 11, "only %d samples are left" % len(found))
    found += samples("docs/login-lti.md")
    claim(len(found) >= 14, "docs/login-lti.md has lost its samples")
    for config in found:
        run = check(config)
        claim(run.returncode == 0, "%s\n%s" % (config, run.stdout))


def a_wrong_one_is_not():
    run = check(next(samples()).replace("kind: oidc", "kind: oidc\n      whitelist: [alice]"))
    claim(run.returncode != 0 and "whitelist" in run.stdout, "taken: %s" % run.stdout)


def options_are_all_there():
    all_of("docs/login.md", "auth/oauth_options.c", 25)
    all_of("docs/login-lti.md", "auth/lti_options.c", 15)


def all_of(where, file, least):
    page, source = text(where), text(file)
    names = re.findall(r"\b(?:TEXT|LISTED)\((\w+)\),|\bROW\((\w+), [A-Z]", source)
    names = [a or b for a, b in names if not (a or b).startswith("member")]
    claim(len(names) > least, "the table is not found: %r" % names)
    missing = [n for n in names if "`%s`" % n not in page and not re.search(r"(?m)^\s*%s:" % n, page)]
    claim(not missing, "%s does not have %s" % (where, ", ".join(missing)))


report.run([
    ("every sample of the pages is taken", all_are_taken),
    ("a sample with an obsolete restriction is not", a_wrong_one_is_not),
    ("every option of a provider is in them", options_are_all_there),
])
report.finish()
