#!/usr/bin/env python3
"""Plays the interop cases: other people's SIP programs against ours, on loopback, each bounded in time.

    harness.py [--list] [--offhook FILE] [--jobs N] [NAME…]

A NAME may end in `*`. Cases wait more than they work, so several are played at once, each by a process of its own. Each case is told as `ok NAME`, `FAILED NAME why` or `skipped NAME why`. With INTEROP=required
in the environment a case that cannot be played counts as failed. What a case wrote is kept in `target/interop/NAME`.
"""

import argparse
import concurrent.futures
import fnmatch
import importlib
import os
import pathlib
import shutil
import signal
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from lib.lab import Failed, Lab, Skipped  # noqa: E402

OURS = "offhook"
JOBS = 4


def load_cases():
    """All cases in the order of their files' names: (name, function, needs, limit_s, title)."""
    cases = []
    for path in sorted((ROOT / "cases").glob("*.py")):
        module = importlib.import_module(f"cases.{path.stem}")
        cases.extend(module.CASES)
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases have the same name"
    return cases


def missing(case, offhook):
    """The first thing that the case needs and this machine lacks, or None."""
    for need in case.needs:
        if need == OURS:
            if not offhook:
                return "our program is not built (cargo build --release -p offhook)"
        elif need.startswith("python:"):
            if not shutil.which(os.environ.get("INTEROP_PYTHON", "")):
                return f"the Python package {need[7:]} is not installed"
        elif not shutil.which(need):
            return f"{need} is not installed"
    return None


def out_of_time(*_):
    raise Failed("ran out of its time")


def told_to_end(*_):
    raise Failed("was told to end")


def play(number, network, folder, offhook):
    """Plays the case of that number; returns what to say of it: (`ok`, `FAILED` or `skipped`; text; seconds)."""
    started = time.monotonic()
    verdict, text = outcome(load_cases()[number - 1], number, network, folder, offhook)
    return verdict, text, time.monotonic() - started


def outcome(case, number, network, folder, offhook):
    lack = missing(case, offhook)
    if lack:
        return "skipped", lack
    shutil.rmtree(folder, ignore_errors=True)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, told_to_end)
    signal.alarm(case.limit_s)
    try:
        with Lab(case.name, number, network, ROOT, folder, offhook) as lab:
            try:
                return "ok", case.play(lab) or case.title
            finally:
                signal.alarm(0)
    except Failed as failure:
        return "FAILED", str(failure)
    except Skipped as skip:
        return "skipped", str(skip)
    except Exception as error:
        (folder / "traceback").write_text(traceback.format_exc())
        return "FAILED", f"{type(error).__name__}: {error} ({folder}/traceback)"


def arguments():
    parser = argparse.ArgumentParser(description="Other people's SIP programs against ours, on loopback.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these cases; may end in *")
    parser.add_argument("--list", action="store_true", help="tell the cases and what they need, play none")
    parser.add_argument("--offhook", default=os.environ.get("OFFHOOK"), help="our program (default: $OFFHOOK)")
    parser.add_argument("--jobs", type=int, default=os.environ.get("INTEROP_JOBS", JOBS), help=f"cases at once ({JOBS})")
    parser.add_argument("--out", default="target/interop", help="where the cases' folders go")
    return parser.parse_args()


def main():
    options = arguments()
    cases = list(enumerate(load_cases(), start=1))
    if options.names:
        cases = [(n, c) for n, c in cases if any(fnmatch.fnmatch(c.name, name) for name in options.names)]
        if not cases:
            sys.exit(f"no case is called {' '.join(options.names)}; --list tells them")
    if options.list:
        for _, case in cases:
            print(f"{case.name:28} {case.title} [{', '.join(case.needs)}]")
        return
    offhook = shutil.which(options.offhook) if options.offhook else None
    required = os.environ.get("INTEROP") == "required"
    results = play_all(cases, options, offhook, required)
    report([(case.name, *results[number]) for number, case in cases])


def play_all(cases, options, offhook, required):
    """Plays the cases, the long ones first, and tells each as it ends; returns number -> (verdict, seconds)."""
    results = {}
    with concurrent.futures.ProcessPoolExecutor(max_workers=max(1, options.jobs)) as pool:
        waiting = {}
        for number, case in sorted(cases, key=lambda numbered: -numbered[1].limit_s):
            folder = pathlib.Path(options.out).resolve() / case.name
            waiting[pool.submit(play, number, os.getpid(), folder, offhook)] = number, case
        for future in concurrent.futures.as_completed(waiting):
            number, case = waiting[future]
            verdict, text, seconds = future.result()
            if verdict == "skipped" and required:
                verdict = "FAILED"
            results[number] = verdict, seconds
            print(f"{verdict} {case.name} {text}", flush=True)
    return results


def report(results):
    """Prints the table of results and ends the program, with 1 when a case failed."""
    print()
    for name, verdict, seconds in results:
        print(f"{name:28} {verdict:8} {seconds:6.1f} s")
    count = {verdict: sum(1 for result in results if result[1] == verdict) for verdict in ("ok", "FAILED", "skipped")}
    print(f"interop: {count['ok']} ok, {count['FAILED']} failed, {count['skipped']} skipped")
    sys.exit(1 if count["FAILED"] else 0)


if __name__ == "__main__":
    main()
