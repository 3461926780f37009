"""The results as Markdown tables."""

PROXIES = ("carrel", "nginx", "haproxy", "h2o", "chp")
NO = "-"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, r)) + " |" for r in rows]) + "\n"


def number(x, digits=2):
    return NO if x is None else "%.*f" % (digits, x) if abs(x) < 1000 else "{:,.0f}".format(x)


def mib(x):
    return "%.1f" % (x / 2**20)


def reasons(cells):
    """Why something is missing, once each."""
    said = sorted({"%s: %s" % (name, " ".join(c["skipped"].split())[:160])
                   for name, c in cells if isinstance(c, dict) and "skipped" in c})
    return "".join("\nNot measured: %s\n" % s for s in said)


def get(cell, *keys):
    for k in keys:
        if not isinstance(cell, dict) or k not in cell:
            return None
        cell = cell[k]
    return cell


def grid(rows):
    """{what: {proxy: result}}: CPU, then rate and p99."""
    names = [p for p in PROXIES if any(p in cells for cells in rows.values())]
    text = table(["CPU s per 100,000", *names],
                 [[what] + [number(per_100k(cells.get(p))) for p in names] for what, cells in rows.items()])
    text += "\n" + table(["thousands a second; p99 in ms", *names],
                         [[what] + [rate(cells.get(p)) for p in names] for what, cells in rows.items()])
    return text + reasons((p, c) for cells in rows.values() for p, c in cells.items())


def per_100k(cell):
    us = get(cell, "cpu_us")
    return None if us is None else us / 10


def rate(cell):
    if get(cell, "rate") is None:
        return NO
    return "%.1f; %.1f" % (cell["rate"] / 1e3, cell["p99_us"] / 1e3)


def by_tls(r):
    return grid({"%s, %s" % (what, kind): cells for kind, rows in r.items() for what, cells in rows.items()})


def idle(r):
    names = [p for p in PROXIES if p in r["plain"]]
    rows = []
    for kind, cells in r.items():
        rows.append(["KiB of process memory per tunnel, " + kind] + [
            number(None if get(cells[p], "bytes_per_tunnel") is None else cells[p]["bytes_per_tunnel"] / 1024)
            for p in names])
        rows.append(["MiB of the whole process, " + kind] + [
            NO if get(cells[p], "process_bytes") is None else mib(cells[p]["process_bytes"]) for p in names])
        rows.append(["CPU s per 100,000 messages of 64 others, " + kind] + [
            number(None if get(cells[p], "cpu_us_beside") is None else cells[p]["cpu_us_beside"] / 10)
            for p in names])
    return table(["5,000 idle tunnels", *names], rows) + reasons(
        (p, c) for cells in r.values() for p, c in cells.items())


def routes(r):
    def row(what, *keys, scale=1.0, digits=2):
        found = [get(r[p], *keys) for p in names]
        return [what] + [number(None if x is None else x * scale, digits) for x in found]
    names = [p for p in ("carrel", "chp") if p in r]
    return table(["many routes", *names], [
        row("routes", "routes", digits=0),
        row("CPU s to add 100,000 over REST", "add_cpu_s"),
        row("added a second", "add_rate", digits=0),
        row("bytes of memory per route", "bytes_per_route", digits=0),
        row("CPU s per 100,000 requests, 10 routes", "lookup_10", "cpu_us", scale=0.1),
        row("CPU s per 100,000 requests, with all", "lookup_many", "cpu_us", scale=0.1),
    ]) + reasons(r.items())


def churn(r):
    names = [p for p in ("carrel", "chp") if p in r]
    return table(["1,000 routes added under load", *names], [
        ["failed requests"] + [get(r[p], "errors") for p in names],
        ["p99 of requests without, ms"] + [number((get(r[p], "quiet_p99_us") or 0) / 1e3) for p in names],
        ["p99 of requests meanwhile, ms"] + [number((get(r[p], "p99_us") or 0) / 1e3) for p in names],
        ["p99 of a change, ms"] + [number((get(r[p], "change_p99_us") or 0) / 1e3) for p in names],
    ]) + reasons(r.items())


def workers(r):
    return grid({"%s, %s worker%s" % (what, n, "s" if n != 1 else ""): cells
                 for n, rows in r.items() for what, cells in rows.items()})


def handshake(r):
    names = [p for p in PROXIES if p in r]

    def row(what, key, less=None):
        cells = []
        for p in names:
            us, base = get(r[p], key, "cpu_us"), get(r[p], less, "cpu_us") if less else 0
            cells.append(number(None if us is None or base is None else us - base, 0))
        return [what] + cells
    return table(["CPU us", *names], [
        row("a connection with one request, plain", "plain"),
        row("the same over TLS, full handshake", "full"), row("the same, resumed session", "resumed"),
        row("a full handshake (difference)", "full", "plain"),
        row("a resumed one (difference)", "resumed", "plain"),
    ]) + reasons((p, c) for p in names for c in r[p].values())


def hub_api(r):
    rows = []
    for what, cells in r["rows"].items():
        if what == "memory":
            continue
        for n in cells["carrel"]:
            ours, theirs = cells["carrel"][n], get(cells, "jupyterhub", n)
            rows.append([what, n, number(ours["cpu_us"], 0), number(get(theirs, "cpu_us"), 0),
                         "1/%.0f" % (theirs["cpu_us"] / ours["cpu_us"]) if theirs else NO,
                         number(ours["rate"], 0), number(get(theirs, "rate"), 0),
                         number(ours["p99_us"] / 1e3), number(theirs["p99_us"] / 1e3) if theirs else NO])
    memory = r["rows"].get("memory", {})
    return table(["call", "connections", "CPU us", "JupyterHub's", "ratio", "a second", "JupyterHub's", "p99 ms",
                  "JupyterHub's"], rows) + "".join(
        "\nMemory of %s after this: %s MiB resident, %s of its own.\n" % (name, mib(m["rss"]), mib(m["pss"]))
        for name, m in memory.items()) + ("\nNot measured: JupyterHub: %s\n" % r["skipped"] if r["skipped"] else "")


def hub_calls(r):
    return table(["GET /users/:name", "system calls", "which"], [
        [name, number(get(c, "per_call"), 1),
         ", ".join("%s %s" % kv for kv in sorted(get(c, "names").items(), key=lambda kv: -kv[1])[:8])
         if get(c, "names") else NO] for name, c in r.items()]) + reasons(r.items())


def hub_growth(r):
    return table(["GET /users/:name", "calls", "MiB before", "MiB after"], [
        ["resident memory", "{:,}".format(r["calls"]), mib(r["rss_before"]), mib(r["rss_after"])]])


def hub_start(r):
    return table(["start to first answer", "accounts", "running servers", "ms", "CPU ms", "MiB"], [
        [name] + ([NO] * 5 if "skipped" in c else [c["accounts"], c["servers"], number(c["seconds"] * 1e3, 0),
                                                   number(c["cpu_ms"], 0), mib(c["pss"])])
        for name, c in r.items()]) + reasons(r.items())


def hub_servers(r):
    return table(["5,000 running servers of the kind fake", "carrel"], [
        ["s until a class of 300 has its servers, all at once", number(r["class"]["seconds"])],
        ["CPU ms of the hub for each of them", number(r["class"]["cpu_ms_per_start"])],
        ["s to start the others, 50 at a time", number(r["start"]["seconds"], 1)],
        ["CPU ms of the hub per start", number(r["start"]["cpu_ms_per_start"])],
        ["KiB of memory per running server", number(r["bytes_per_server"] / 1024, 1)],
        ["MiB of the hub with all", mib(r["pss_with_all"])],
        ["CPU us per activity post", number(r["activity"]["cpu_us"], 0)],
        ["s to list all users, 200 a page", number(r["walk"]["seconds"])],
        ["longest turn of the loop until then, CPU ms", number(r["longest_turn_ms"], 1)],
    ])


def hub_pam(r):
    return table(["PAM logins", "a second, 16 at a time", "CPU ms each, PAM included", "one alone, s",
                  "beside a wrong password, s"], [
        [name, number(get(c, "logins_per_s"), 0), number(get(c, "cpu_ms"), 1), number(get(c, "alone_s")),
         number(get(c, "beside_wrong_s"))] for name, c in r.items()]) + reasons(r.items())


def about(facts):
    m = facts["machine"]
    return "%d processors (%s), %d GiB, Linux %s; load average %.1f. %s\n" % (
        m["processors"], m["model"], m["memory_gib"], m["kernel"], m["load_average"],
        ", ".join("%s %s" % (k, v or "(none)") for k, v in facts["versions"].items()))


LAYOUTS = {
    "proxy-http": ("HTTP requests", by_tls),
    "proxy-websocket": ("WebSocket messages, echoed", by_tls),
    "proxy-h2": ("HTTP/2 requests", grid),
    "proxy-idle": ("Idle WebSockets", idle),
    "proxy-routes": ("Many routes", routes),
    "proxy-churn": ("Changing routes under load", churn),
    "proxy-workers": ("Workers", workers),
    "proxy-handshake": ("TLS handshakes", handshake),
    "hub-api": ("The hub's calls beside JupyterHub, 10,000 users", hub_api),
    "hub-calls": ("System calls", hub_calls),
    "hub-growth": ("A million calls", hub_growth),
    "hub-start": ("Start", hub_start),
    "hub-servers": ("Many servers", hub_servers),
    "hub-pam": ("PAM", hub_pam),
}


def section(name, result):
    title, layout = LAYOUTS[name]
    text = "### %s (%s)\n\n" % (title, name)
    r = result["result"]
    if not r or "skipped" in r and name != "hub-api":
        return text + "Skipped: %s\n" % (r or {}).get("skipped", "no result")
    return text + layout(r) + "\n%.0f s, load average %.1f to %.1f\n" % (
        result["seconds"], *result["load_average"])
