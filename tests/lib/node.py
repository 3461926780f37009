"""Which Node there is, and whether it will do."""
import re
import shutil
import subprocess


def version_text():
    if not shutil.which("node"):
        return ""
    return subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()


def why_node_is_too_old(major):
    """None: it is not."""
    text = version_text()
    if not text:
        return "there is no node"
    found = re.match(r"v(\d+)\.", text)
    if not found or int(found.group(1)) < major:
        return "node %s is too old, %d is wanted" % (text, major)
    return None
