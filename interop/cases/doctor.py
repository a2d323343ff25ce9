"""tshark reads the same captures as our doctor: the same messages by method and status, the same streams."""

import collections
import csv
import io
import json
import os
import pathlib
import subprocess
import time

from lib import peers
from lib.case import Case
from lib.lab import Skipped, need
from lib.ours import Exchange, Phone

# Where a folder of foreign captures lies, if there is one.
CAPTURES = pathlib.Path(os.environ.get("OFFHOOK_CAPTURES", pathlib.Path(__file__).resolve().parents[3] / "shared" / "captures"))
ENDINGS = {".pcap", ".pcapng", ".snoop", ".cap"}
# Milliseconds by which the mean of the jitter may differ: tshark counts in floats, RFC 3550 A.8 in whole ticks.
JITTER_MS = 0.3


def tshark(lab, path, *arguments):
    done = subprocess.run(["tshark", "-n", "-r", path, *arguments], capture_output=True, text=True, errors="replace", timeout=100)
    need(done.returncode in (0, 2), f"tshark fails on {path}: {done.stderr[-300:]}")
    return done.stdout


def ours(lab, path):
    done = subprocess.run([lab.offhook, "doctor", path, "--json"], capture_output=True, text=True, timeout=100)
    need(done.returncode in (0, 1) and done.stdout, f"the doctor fails on {path}: {done.stderr[-300:]}")
    return json.loads(done.stdout)


def messages_of_tshark(lab, path):
    """Requests by method, answers by status and method. A frame may hold several messages."""
    fields = ["sip.Method", "sip.Status-Code", "sip.CSeq.method"]
    text = tshark(lab, path, "-Y", "sip && !icmp", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;", *[part for field in fields for part in ("-e", field)])
    counted = collections.Counter()
    for methods, statuses, cseqs in csv.reader(io.StringIO(text), delimiter="|", quoting=csv.QUOTE_NONE):
        counted.update(method for method in methods.split(";") if method)
        statuses = [status for status in statuses.split(";") if status]
        # The method of an answer stands in its CSeq; requests of the same frame have theirs before.
        counted.update(zip(statuses, cseqs.split(";")[-len(statuses):]) if statuses else ())
    return counted


def messages_of_ours(report):
    counted = collections.Counter({method: count for method, count in report["counts"]["requests"].items()})
    for row in report["counts"]["answers"]:
        counted[(str(row["status"]), row["method"])] += row["count"]
    return counted


def streams_of_tshark(lab, path):
    """By SSRC and receiver: packets, lost, mean jitter."""
    text = tshark(lab, path, "-q", "-o", "rtp.heuristic_rtp:TRUE", "-z", "rtp,streams")
    streams = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 14 or "0x" not in line:
            continue
        at = next(index for index, word in enumerate(words) if word.startswith("0x"))
        ssrc, receiver, port = words[at], words[at - 2], words[at - 1]
        rest = [word for word in words[at + 1:] if not word.startswith("(")]
        numbers = [word for word in rest if word.replace(".", "").replace("-", "").isdigit()]
        # Packets, lost; then the smallest, mean and largest time between packets, and of the jitter.
        streams[(ssrc.lower(), f"{receiver}:{port}")] = (int(numbers[0]), int(numbers[1]), float(numbers[6]))
    return streams


def streams_of_ours(report):
    return {(row["ssrc"], row["to"]): (row["packets"], row["lost"], row["jitter_ms"]) for row in report["streams"]}


def compare(lab, path):
    """What differs, in words."""
    report = ours(lab, path)
    theirs, mine = messages_of_tshark(lab, path), messages_of_ours(report)
    differences = [f"{key}: tshark {theirs[key]}, we {mine[key]}" for key in theirs | mine if theirs[key] != mine[key]]
    theirs, mine = streams_of_tshark(lab, path), streams_of_ours(report)
    for key in theirs.keys() | mine.keys():
        told, counted = theirs.get(key), mine.get(key)
        if told is None or counted is None or told[:2] != counted[:2] or abs(told[2] - (counted[2] or 0)) > JITTER_MS:
            differences.append(f"stream {key}: tshark {told}, we {counted}")
    return differences, sum(messages_of_ours(report).values()), len(mine)


def foreign(lab):
    """Every capture of the folder, by others' programs."""
    paths = sorted(path for path in CAPTURES.rglob("*") if path.suffix in ENDINGS) if CAPTURES.is_dir() else []
    if not paths:
        raise Skipped("there is no folder of captures (OFFHOOK_CAPTURES)")
    messages = streams = 0
    for path in paths:
        differences, message_count, stream_count = compare(lab, path)
        messages, streams = messages + message_count, streams + stream_count
        need(not differences, f"{path.name}: {'; '.join(differences)}")
    return f"{len(paths)} captures, {messages} messages and {streams} streams as tshark counts them"


def own(lab):
    """A call of two of our phones as `--pcap` writes it, and the same turned into pcapng by editcap."""
    exchange = Exchange(lab, peers.SECRETS)
    phones = []
    for number in ("7001", "7002"):
        account = f"{number}:{peers.SECRETS[number]}@{exchange.address}"
        phones.append(Phone(lab, number, "--account", account, "--audio", "silent"))
        phones[-1].event("registered")
    caller, callee = phones
    capture = caller.capture
    caller.command("dial 7002")
    callee.event("incoming")
    callee.command("answer")
    caller.event("answered")
    time.sleep(3)
    caller.command("hangup")
    callee.event("ended")
    caller.quit()
    callee.quit()
    differences, messages, streams = compare(lab, capture)
    need(not differences, "; ".join(differences))
    need(messages >= 8 and streams == 2, f"only {messages} messages and {streams} streams were captured")
    again = lab.folder / "call.pcapng"
    subprocess.run(["editcap", "-F", "pcapng", capture, again], check=True, timeout=60)
    need(ours(lab, again)["streams"] == ours(lab, capture)["streams"], "pcapng gives other streams than pcap")
    return f"{messages} messages and {streams} streams as tshark counts them, the same out of pcapng"


CASES = [
    Case("doctor-foreign-captures", "tshark and our doctor count the same in captures of others", foreign, ("offhook", "tshark"), limit_s=600),
    Case("doctor-own-capture", "tshark and our doctor count the same in our own capture", own, ("offhook", "tshark", "editcap")),
]
