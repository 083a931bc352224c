"""A service whose lines are numbered, and the account of every one of them: none lost, none twice."""

import json
from collections import Counter

import host

# Lines of one request, one after the other.
LINES_A_REQUEST = 10

# Writes until it is stopped; it goes on behind the last number that its files hold. Its log is for its own eyes only: the agent
# reads it by its one capability. Once in a while the log is rotated, and the rotated one compressed.
SERVICE = f"""#!/bin/bash
set -eu
umask 077
log=${{1:-/var/log/payments/payments.log}}
n=$( (zcat -f "$log" "$log".*  2>/dev/null || true) | sed -n 's/.* n=\\([0-9]*\\)$/\\1/p' | sort -n | tail -1)
n=${{n:-0}}
while :; do
    n=$((n + 1))
    printf 'ts=%(%Y-%m-%dT%H:%M:%S)TZ level=info msg="step %d of the payment" trace_id=%032x n=%d\\n' \\
        -1 $(((n - 1) % {LINES_A_REQUEST} + 1)) $(((n - 1) / {LINES_A_REQUEST} + 1)) "$n" >> "$log"
    if ((n % 1500 == 0)); then
        mv "$log" "$log.$n"
        gzip "$log.$((n - 1500))" 2>/dev/null || true
    fi
    sleep 0.005
done
"""

UNIT = """[Unit]
Description=A service that writes numbered lines

[Service]
User=payments
Environment=TZ=UTC
LogsDirectory=payments
LogsDirectoryMode=0700
ExecStart=/usr/local/bin/payments
Restart=always

[Install]
WantedBy=multi-user.target
"""

# The numbers of all lines that its files hold.
WRITTEN = "cd /var/log/payments; zcat -f payments.log* | sed -n 's/.* n=\\([0-9]*\\)$/\\1/p' | sort -n"


def install(machine):
    """The service, enabled and started."""
    machine.write("/usr/local/bin/payments", SERVICE, 0o755)
    machine.write("/etc/systemd/system/payments.service", UNIT)
    machine.run("id payments >/dev/null 2>&1 || useradd --system payments; systemctl daemon-reload; systemctl enable --now payments")


def trace_id(request):
    """The ID of the service's request so many."""
    return f"{request:032x}"


def number(line):
    return int(line.rsplit("n=", 1)[1])


def held(answer):
    """How often the aggregator holds each number, from an NDJSON answer."""
    records = [json.loads(line) for line in answer.splitlines() if line.strip()]
    return Counter(number(record["line"]) for record in records if "line" in record)


def check(machine, api="http://127.0.0.1:7601"):
    """Stops the service, and compares: every line of its files is found, and found once. Returns how many there are."""
    machine.run("systemctl stop payments")
    written = [int(number) for number in machine.run(WRITTEN).split()]
    assert written == list(range(1, len(written) + 1)), "the service numbers its lines one after the other"

    def complete():
        found = held(machine.run(f"curl -fsS -H 'Accept: application/x-ndjson' '{api}/api/v1/logs/search?q=service:payments'"))
        twice = [number for number, times in found.items() if times > 1]
        assert not twice, f"{len(twice)} lines are there twice, {sorted(twice)[:5]} among them"
        lost = sorted(set(written) - set(found))
        assert not lost, f"{len(lost)} of {len(written)} lines are not there, {lost[:5]} among them"
        return not set(found) - set(written)
    host.until("every line to be found once", complete, 90)
    machine.run("systemctl start payments")
    print(f"    {len(written)} lines written, every one found once", flush=True)
    return len(written)
