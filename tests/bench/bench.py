#!/usr/bin/python3
"""make bench: runs the measurements, prints their tables as Markdown, writes build/bench/*.json.

Everything runs on loopback, bounded. docs/performance.md says how to read it.
"""
import argparse
import json
import os
import platform
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib")]
import hub_bench
import measure
import proxy_bench
import report
import rivals
import tables

SECTIONS = {**proxy_bench.SECTIONS, **hub_bench.SECTIONS}


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown")
    return {"processors": os.cpu_count(), "model": model, "kernel": platform.release().split("-")[0],
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "load_average": os.getloadavg()[0]}


def package(name):
    return rivals.output(["dpkg-query", "-W", "-f", "${Version}", name])


def about():
    versions = rivals.versions()
    versions["jupyterhub"] = package("jupyterhub") if os.path.exists("/usr/bin/jupyterhub") else ""
    versions["h2load"] = package("nghttp2-client")
    return {"machine": machine(), "versions": versions, "when": time.strftime("%Y-%m-%d", time.gmtime())}


def run(name, folder):
    out, begun = {}, time.monotonic()
    before = os.getloadavg()[0]
    try:
        SECTIONS[name](out)
    except (measure.Skip, report.Failure) as e:
        out[name] = {"skipped": str(e)}
    except Exception as e:  # one that breaks does not take the others with it
        traceback.print_exc()
        out[name] = {"skipped": "%s: %s" % (type(e).__name__, e)}
    result = {"section": name, "result": out.get(name), "seconds": round(time.monotonic() - begun, 1),
              "load_average": [round(before, 1), round(os.getloadavg()[0], 1)]}
    with open(os.path.join(folder, name + ".json"), "w") as f:
        json.dump(result, f, indent=1)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a list like proxy-http,hub-api; of: " + ", ".join(SECTIONS))
    wanted = [w for w in parser.parse_args().only.split(",") if w] or list(SECTIONS)
    unknown = [w for w in wanted if w not in SECTIONS]
    if unknown:
        sys.exit("bench: no measurement %s; there are %s" % (", ".join(unknown), ", ".join(SECTIONS)))
    folder = os.path.join(measure.BUILD, "bench")
    os.makedirs(folder, exist_ok=True)
    # whoever ends us ends what we started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by a signal"))
    facts = about()
    with open(os.path.join(folder, "about.json"), "w") as f:
        json.dump(facts, f, indent=1)
    print(tables.about(facts), flush=True)
    broken = 0
    for name in wanted:
        result = run(name, folder)
        print(tables.section(name, result), flush=True)
        broken += "skipped" in (result["result"] or {})
    sys.exit(1 if broken == len(wanted) else 0)


if __name__ == "__main__":
    main()
