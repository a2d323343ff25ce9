"""Schemathesis, which reads descriptions of APIs: what ours take and answer is what theirs say, whatever it asks."""

import re

from lib import peers
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange, Phone

NEEDS = ("offhook", "schemathesis")
# For each operation; the same ones in every run.
REQUESTS = 60
SEED = 1


def exchange(lab):
    server = Exchange(lab, peers.SECRETS)
    told = read(lab, server.web, server.folder / "web-token")
    server.alive()
    return f"an exchange: {told}"


def phone(lab):
    token = lab.folder / "token"
    # Its server is nobody: what the reader dials ends there.
    account = f"7001:{peers.SECRETS['7001']}@{lab.address()}"
    web = f"{lab.address()}:8088"
    ours = Phone(lab, "phone", "--account", account, "--audio", "silent", "--web", web, "--web-token", token)
    told = read(lab, f"http://{web}", token)
    ours.quit()
    return f"a phone: {told}"


def read(lab, web, token):
    """Asks everything that the description names but the events, which do not end."""
    argv = ["schemathesis", "run", f"{web.rstrip('/')}/api/openapi.json", "-H", f"Authorization: Bearer {token.read_text().strip()}",
            "--exclude-path", "/api/events", "--max-examples", REQUESTS, "--seed", SEED, "--request-timeout", 5, "--continue-on-failure",
            "--generation-database", "none"]
    status, printed = lab.run("schemathesis", argv, timeout_s=150)
    asked = re.search(r"Test cases:\s+(\d+) generated", printed)
    need(asked and int(asked[1]) > REQUESTS, f"schemathesis asked next to nothing: {printed[-300:]}")
    faults = re.findall(r"^- (ST\d+ .*)$", printed, re.MULTILINE)
    need(status == 0, f"not as described: {'; '.join(faults) or printed[-300:]}; see schemathesis.log")
    return f"{asked[1]} requests, sound and broken, are taken and answered as its description says"


CASES = [
    Case("api-exchange", "the exchange's HTTP API is as it describes itself", exchange, NEEDS, limit_s=200),
    Case("api-phone", "the phone's HTTP API is as it describes itself", phone, NEEDS, limit_s=200),
]
