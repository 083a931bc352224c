#!/usr/bin/env python3
"""Installs Clew for real and uses it: `make system-test`, or `tests/system/run.py SCENARIO...`.

| file | what it is |
| --- | --- |
| `run` | which scenarios there are; says of each one whether it passed, failed or could not be run, and why |
| `host` | commands, waiting, and what has to be installed on this machine |
| `account` | a service whose lines are numbered, and the account of every one of them |
| `tree`, `machine` | a Debian tree from debootstrap; booting it with systemd-nspawn |
| `packages` | scenario: what is in the deb and rpm files |
| `installed` | scenario: install, trace, reload, kill, hang, reboot, upgrade, downgrade, remove, purge |
| `provisioned` | scenario: the Ansible role, twice, an upgrade, a rollback |
| `engine`, `containers` | a Docker engine of our own; scenario: images, sidecar, host agent, a job, compose |
| `kubernetes` | scenario: every overlay against the published schemas |
| `openapi`, `openapi_hooks` | scenario: schemathesis finds nothing that `/openapi.json` does not say |
| `pods` | scenario: the production overlay and a sidecar's, run by that engine in a kubelet's place |

Needs root on a Debian or Ubuntu machine, and the packages of `make packages`. What is missing is installed with apt-get and pip; where
that does not work, the scenario is skipped, and the reason printed. Exit code 1 if a scenario failed, and with `CLEW_SYSTEM_REQUIRED=1`
also if one was skipped.
"""

import os
import sys
import time
import traceback

import host

SCENARIOS = ["packages", "openapi", "kubernetes", "installed", "provisioned", "containers", "pods"]


def main(names):
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        sys.exit(f"no scenario {unknown[0]}; there are: {', '.join(SCENARIOS)}")
    outcomes = {name: outcome(name) for name in names or SCENARIOS}
    print()
    for name, (word, why) in outcomes.items():
        print(f"{word:8} {name}{': ' + why if why else ''}")
    count = lambda word: sum(1 for found, _ in outcomes.values() if found == word)
    print(f"{count('passed')} passed, {count('failed')} failed, {count('skipped')} skipped")
    required = os.environ.get("CLEW_SYSTEM_REQUIRED") == "1"
    return 1 if count("failed") or (required and count("skipped")) else 0


def outcome(name):
    print(f"\n=== {name}", flush=True)
    started = time.monotonic()
    try:
        __import__(name).run()
    except host.Skipped as skipped:
        return "skipped", str(skipped)
    except Exception:
        traceback.print_exc()
        return "failed", f"after {time.monotonic() - started:.0f} s"
    return "passed", f"in {time.monotonic() - started:.0f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
