"""SQL is said in db/ only, HTML in hub/web only."""
import re

from tree import Complaint

SQL = re.compile(
    r"\b(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\b|UPDATE\s+\w+\s+SET\b|"
    r"DELETE\s+FROM\b|(CREATE|DROP|ALTER)\s+(TABLE|INDEX|VIEW|TRIGGER)\b|"
    r"REPLACE\s+INTO\b|PRAGMA\s+\w)")
HTML = re.compile(
    r"<!doctype|</?(html|head|body|title|meta|link|script|style|div|span|p|a|"
    r"ul|ol|li|table|tr|td|th|form|input|button|select|option|label|h[1-6]|"
    r"br|hr|img|pre|code|em|strong|main|nav|header|footer|section)"
    r"(\s[^<>]*)?/?>", re.I)
# C files outside hub/web that may hold a little HTML, with the reason.
HTML_FILES = {
    "proxy/error.c": "the proxy's own error page; it has no templates",
}
ROOMS = ("base/", "db/", "auth/", "hub/", "proxy/", "spawner/")


def check(tree):
    for file in tree.named(".c", ".h", ".def"):
        if not file.startswith(ROOMS):
            continue
        for line, text in tree.source(file).strings:
            sql = SQL.search(text)
            if sql and not file.startswith("db/"):
                yield Complaint(
                    file, line, f"SQL outside db/ ({sql.group().strip()})",
                    "make it a function of db/")
            html = HTML.search(text)
            if (html and not file.startswith("hub/web/") and
                    file not in HTML_FILES):
                yield Complaint(
                    file, line, f"HTML in C ({html.group()[:20]})",
                    "make it a template in hub/web, or list the file with "
                    "its reason in tests/lint/rule_words.py")
