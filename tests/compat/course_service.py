"""A course's own notebook server, as nbgrader's documentation has it: a managed service, with its plugin beside it."""
import importlib
import os
import sys
import types

for name in ("nbgrader", "nbgrader.auth"):  # without all that the packages import
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [os.path.join(os.environ["NBGRADER"], *name.split("."))]
plugin = importlib.import_module("nbgrader.auth.jupyterhub").JupyterHubAuthPlugin()
course = os.environ["JUPYTERHUB_SERVICE_NAME"]
plugin.add_student_to_course("boss", course)
if course not in plugin.get_student_courses("boss"):
    sys.exit("the plugin does not find the course of whom it has added")
os.execv(sys.executable, [sys.executable, "-m", "jupyterhub.singleuser", "--group=formgrade-" + course])
