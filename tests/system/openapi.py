"""Scenario: `schemathesis` from PyPI asks everything that `/openapi.json` describes, rightly and wrongly, and finds nothing.

Every answer has to be of a documented status and of its schema, a good request has to be answered, a bad one refused, and nothing may be
a 5xx. The tail is left out, whose answer has no end; so is the check of wrong tokens, because after twenty of them an address has to wait
(`tests/access.rs` tries the doors).
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

import host

VERSION = "4.32.5"
# The same cases every time.
SEED = 1
EXAMPLES = 50
HERE = host.ROOT / "tests/system"
WORK = host.WORK / "openapi"
LINES = 500


def run():
    schemathesis = host.python_with(f"schemathesis=={VERSION}").parent / "schemathesis"
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "logs").mkdir(parents=True)
    secret = host.command(host.program("clew-aggregator"), "token", "generate").strip()
    (WORK / "secret").write_text(secret)
    (WORK / "secret").chmod(0o600)
    grpc, http = free_port(), free_port()
    config = WORK / "aggregator.toml"
    config.write_text(
        f"data_dir = '{WORK}/data'\ngrpc_listen = '127.0.0.1:{grpc}'\nhttp_listen = '127.0.0.1:{http}'\n"
        f"[[token]]\nname = 'all'\nscopes = ['admin', 'read', 'ingest']\nfile = '{WORK}/secret'\n"
    )
    address = f"http://127.0.0.1:{http}"
    with open(WORK / "aggregator.log", "w") as log:
        aggregator = subprocess.Popen([host.program("clew-aggregator"), "run", "--config", config], stdout=log, stderr=log)
    try:
        host.until("the aggregator is ready", lambda: status(f"{address}/readyz") == 200)
        fill(grpc)
        host.step(f"schemathesis {VERSION}, seed {SEED}")
        done = subprocess.run(
            [
                schemathesis, "--config-file", HERE / "schemathesis.toml", "run", f"{address}/openapi.json",
                "--header", f"Authorization: Bearer {secret}", "--seed", str(SEED), "--max-examples", str(EXAMPLES),
            ],
            env=dict(os.environ, SCHEMATHESIS_HOOKS="openapi_hooks", PYTHONPATH=str(HERE), NO_COLOR="1"),
            cwd=WORK, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        assert done.returncode == 0, done.stdout
        assert aggregator.poll() is None, "the aggregator has ended"
        print("\n".join(f"    {line.strip()}" for line in done.stdout.splitlines() if "Tested:" in line or "generated" in line))
    finally:
        aggregator.terminate()
        aggregator.wait(30)


def fill(grpc):
    """Ships some lines of two services, so that there is something to find; the agent says that this is all, so that no stream waits for more."""
    with open(WORK / "logs/checkout.log", "w") as checkout, open(WORK / "logs/payments.log", "w") as payments:
        for number in range(LINES):
            line = {
                "time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "level": "ERROR" if number % 50 == 0 else "INFO",
                "trace_id": f"4bf92f3577b34da6a3ce929d{number // 3:08x}", "http": {"status": 200 + number % 4 * 100},
                "duration_ms": number * 1.5, "message": f"connection reset, order {number}",
            }
            print(json.dumps(line), file=payments if number % 3 == 0 else checkout)
    config = WORK / "agent.toml"
    config.write_text(
        f"aggregator = 'http://127.0.0.1:{grpc}'\ntoken_file = '{WORK}/secret'\nstate_dir = '{WORK}/state'\nhost = 'web-1'\n"
        "ephemeral = true\n"
        f"[[source]]\ninclude = ['{WORK}/logs/{{service}}.log']\n"
    )
    host.command(host.program("clew-agent"), "run", "--once", "--config", config)


def status(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status
    except OSError:
        return None


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
