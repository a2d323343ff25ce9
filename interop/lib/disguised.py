"""One of SIPVicious' tools under another name than its own, by which it would be known: disguised.py TOOL USER-AGENT ARGUMENT…"""

import importlib
import sys

sys.path.append("/usr/share/sipvicious")  # where Debian keeps its modules

from sipvicious.libs import svhelper  # noqa: E402

OWN_NAME = "friendly-scanner"

tool, agent = sys.argv[1:3]
request = svhelper.makeRequest
assert OWN_NAME in request.__defaults__, "SIPVicious names itself otherwise"
request.__defaults__ = tuple(agent if value == OWN_NAME else value for value in request.__defaults__)
sys.argv = [tool, *sys.argv[3:]]
importlib.import_module(f"sipvicious.{tool}").main()
