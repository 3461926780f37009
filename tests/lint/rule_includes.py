"""Includes go one way: base <- db <- auth <- hub, base <- proxy and spawner."""
from tree import Complaint, matches

MAY_INCLUDE = {
    "base": {"base"},
    "db": {"base", "db"},
    "auth": {"base", "db", "auth"},
    "hub": {"base", "db", "auth", "hub"},
    "proxy": {"base", "proxy"},
    "spawner": {"base", "spawner"},
}
INCLUDE = r'(?m)^[ \t]*#[ \t]*include[ \t]*"([^"]+)"'
# Across programs only a client.h.
CLIENTS = {
    "auth": {"spawner/client.h"},
    "hub": {"spawner/client.h", "proxy/client.h"},
}


def check(tree):
    for file in tree.named(".c", ".h", ".def"):
        room = file.split("/")[0]
        if room not in MAY_INCLUDE:
            continue
        for line, match in matches(INCLUDE, tree.text(file)):
            target = match.group(1)
            other = target.split("/")[0]
            if other not in MAY_INCLUDE or "/" not in target:
                yield Complaint(
                    file, line, f'include of "{target}"',
                    "write the path from the root of the repository")
            elif (other not in MAY_INCLUDE[room] and
                  target not in CLIENTS.get(room, ())):
                allowed = ", ".join(sorted(
                    MAY_INCLUDE[room] | CLIENTS.get(room, set())))
                yield Complaint(
                    file, line, f'{room}/ may not include "{target}"',
                    f"it may use {allowed}; move what is shared down to "
                    "base/, or decide it one room up")
