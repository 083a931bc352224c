"""Scenario: a fresh Debian, the packages, a service, and everything that an operator and bad luck do to them."""

import json
import re

import account
import host
from machine import Machine

UNITS = ["clew-aggregator", "clew-agent"]
# Of systemd-analyze, 10 being the worst.
EXPOSURE_MAX = 2.0
NEWER = "9.0.0-1"


def run():
    debs = [host.package(name) for name in (*UNITS, "clew")]
    newer = [host.repacked(deb, NEWER) for deb in debs]
    machine = Machine("installed")
    try:
        host.step("boot")
        machine.boot()
        for deb in (*debs, *newer):
            machine.put(deb)
        install(machine, debs)
        unit_files(machine)
        trace(machine)
        reload(machine)
        output_to_file(machine)
        drop_ins(machine)
        certificates(machine)
        back_up(machine)
        kill(machine)
        hang(machine)
        reboot(machine)
        other_version(machine, newer, "upgrade")
        other_version(machine, debs, "downgrade")
        remove(machine, debs)
        purge(machine)
    finally:
        machine.end()


def install(machine, debs):
    host.step("install the packages, start them and a service")
    before = machine.run("systemctl --failed --no-legend --plain | wc -l")
    machine.run(f"apt-get install -y {paths(debs)}")
    machine.run(f"systemctl start {' '.join(UNITS)}")
    all_run(machine)
    assert machine.run("systemctl --failed --no-legend --plain | wc -l") == before
    account.install(machine)


def unit_files(machine):
    host.step("users, privileges, limits")
    for unit, user in zip(UNITS, ["clew", "clew-agent"]):
        assert machine.run(f"systemctl is-enabled {unit}").strip() == "enabled"
        assert machine.run(f"systemctl show -P User {unit}").strip() == user
        state = machine.run(f"stat -c '%U %a' /var/lib/{user}").strip()
        assert state == f"{user} 750", state
        text = machine.run(f"systemd-analyze security --no-pager {unit} | tail -1")
        exposure = float(re.search(r"(\d+\.\d+)", text)[1])
        assert exposure < EXPOSURE_MAX, text
        print(f"    {text.strip()}")
    capabilities = lambda unit: machine.run(f"grep ^Cap /proc/$(systemctl show -P MainPID {unit})/status")
    # CAP_DAC_READ_SEARCH is bit 2: permitted, effective, bounding and ambient; nothing else, and nothing at all for the aggregator.
    assert set(re.findall(r"(\w+):\s*(\w+)", capabilities("clew-agent"))) == {
        ("CapInh", f"{4:016x}"), ("CapPrm", f"{4:016x}"), ("CapEff", f"{4:016x}"), ("CapBnd", f"{4:016x}"), ("CapAmb", f"{4:016x}")}
    assert set(re.findall(r":\s*(\w+)", capabilities("clew-aggregator"))) == {f"{0:016x}"}
    # Nobody reads what either keeps, the other one included; from the agent, which may read any file, its unit hides it.
    for user, state in [("payments", "clew"), ("payments", "clew-agent"), ("clew", "clew-agent")]:
        assert machine.run(f"runuser -u {user} -- ls /var/lib/{state}", check=False).returncode != 0


def trace(machine):
    host.step("trace a request, with curl and with clew")
    request = account.trace_id(3)
    # As a person may have it from somewhere: in capitals, as a UUID.
    spelled = f"{request[:8]}-{request[8:12]}-{request[12:16]}-{request[16:20]}-{request[20:]}".upper()

    def whole():
        answer = json.loads(machine.run(f"curl -fsS http://127.0.0.1:7601/api/v1/transactions/{spelled}"))
        return answer if len(answer["records"]) == account.LINES_A_REQUEST and answer["completeness"]["state"] == "settled" else None
    answer = host.until("the request to be there and settled", whole)
    numbers = [account.number(record["line"]) for record in answer["records"]]
    assert numbers == list(range(2 * account.LINES_A_REQUEST + 1, 3 * account.LINES_A_REQUEST + 1)), numbers
    assert {record["service"] for record in answer["records"]} == {"payments"}
    shown = machine.run(f"clew trace --no-fold {request}")
    assert "settled" in shown and shown.count("of the payment") == account.LINES_A_REQUEST, shown
    print("    " + "\n    ".join(shown.splitlines()[:8]))
    assert "installed" in machine.run("clew agents")
    assert machine.run("clew-agent audit --config /etc/clew/agent.toml"), "every byte is accounted for"


def reload(machine):
    host.step("reload: another source, then a mistake")
    config = machine.root / "etc/clew/agent.toml"
    right = config.read_text() + '\n[[source]]\nservice = "{name}"\ninclude = ["/var/log/services/{name}.log"]\n'
    pid = main_pid(machine, "clew-agent")
    config.write_text(right)
    machine.run("systemctl reload clew-agent")
    config.write_text(right + "[limits]\n")
    failed = machine.run("systemctl reload clew-agent", check=False)
    assert failed.returncode != 0, "a mistake is told to who reloads"
    config.write_text(right)
    machine.run("systemctl reload clew-agent")
    assert main_pid(machine, "clew-agent") == pid, "it is the same process"


def output_to_file(machine):
    host.step("a service that writes to standard output, by the drop-in of the examples")
    machine.write("/etc/systemd/system/ticker.service",
                  "[Service]\nExecStart=/bin/sh -c 'echo trace_id=00000000000000000000000000abcdef on standard output; sleep infinity'\n")
    machine.put(host.ROOT / "deploy/systemd/drop-ins/agent/service-to-file.conf", "/etc/systemd/system/ticker.service.d")
    machine.run("systemctl daemon-reload; systemctl start ticker")
    found = lambda: "on standard output" in machine.run("clew trace 00000000000000000000000000abcdef", check=False).stdout
    host.until("its line to be found", found)
    machine.run("systemctl stop ticker")


def drop_ins(machine):
    host.step("the other drop-ins of the examples")
    machine.write("/home/logs/app.log", "level=info trace_id=00000000000000000000000000fedcba in a home\n")
    config = machine.root / "etc/clew/agent.toml"
    before = config.read_text()
    config.write_text(before + '\n[[source]]\nservice = "home"\ninclude = ["/home/logs/*.log"]\n')
    machine.run("install -d -o clew /srv/clew")
    for unit in UNITS:
        for file in (host.ROOT / "deploy/systemd/drop-ins" / unit.removeprefix("clew-")).iterdir():
            if not file.name.startswith(("service-", "backup-")):
                machine.put(file, f"/etc/systemd/system/{unit}.service.d")
    assert not machine.run("systemd-analyze verify --man=no clew-agent.service clew-aggregator.service")
    machine.run(f"systemctl daemon-reload; systemctl restart {' '.join(UNITS)}")
    host.until("a file below /home to be read", lambda: "in a home" in machine.run("clew trace 00000000000000000000000000fedcba", check=False).stdout)
    machine.run(f"nsenter -t {main_pid(machine, 'clew-aggregator')} -m touch /srv/clew/written")
    config.write_text(before)
    machine.run(f"rm -r /etc/systemd/system/clew-*.service.d; systemctl daemon-reload; systemctl restart {' '.join(UNITS)}")
    all_run(machine)


def certificates(machine):
    host.step("certificates, as the README has it: from now on by mutual TLS")
    machine.run("clew-aggregator pki init /root/clew-pki; clew-aggregator pki server /root/clew-pki logs.example 127.0.0.1; "
                "clew-aggregator pki agent /root/clew-pki installed; install -d /etc/clew/tls; "
                "install -m 644 /root/clew-pki/{server.crt,ca.crt,ca.crl,agents/installed.crt} /etc/clew/tls/; "
                "install -g clew -m 640 /root/clew-pki/server.key /etc/clew/tls/; "
                "install -g clew-agent -m 640 /root/clew-pki/agents/installed.key /etc/clew/tls/")
    tls = lambda **files: "\n[tls]\n" + "".join(f'{key} = "/etc/clew/tls/{file}"\n' for key, file in files.items())
    aggregator, agent = (machine.root / f"etc/clew/{name}.toml" for name in ("aggregator", "agent"))
    aggregator.write_text(aggregator.read_text() + tls(certificate="server.crt", key="server.key", client_ca="ca.crt", client_crl="ca.crl"))
    machine.run("systemctl restart clew-aggregator")
    refused = machine.run("clew-agent check --config /etc/clew/agent.toml", check=False)
    assert refused.returncode != 0, "in the clear nobody is let in"
    agent.write_text(agent.read_text().replace("http://127.0.0.1:7600", "https://127.0.0.1:7600")
                     + tls(ca="ca.crt", certificate="installed.crt", key="installed.key"))
    shown = machine.run("clew-agent check --config /etc/clew/agent.toml")
    assert "shown: certificate installed" in shown, shown
    machine.run("systemctl reload clew-agent")
    account.check(machine)
    # Neither user has what the other one is.
    assert machine.run("runuser -u clew -- cat /etc/clew/tls/installed.key", check=False).returncode != 0
    # Renewed and revoked without a restart.
    pids = [main_pid(machine, unit) for unit in UNITS]
    machine.run("clew-aggregator pki revoke /root/clew-pki installed; install -m 644 /root/clew-pki/ca.crl /etc/clew/tls/")
    host.until("the agent to be refused", lambda: "is revoked" in machine.run("journalctl --no-pager --unit=clew-agent"))
    machine.run("clew-aggregator pki agent /root/clew-pki installed; "
                "install -m 644 /root/clew-pki/agents/installed.crt /etc/clew/tls/; "
                "install -g clew-agent -m 640 /root/clew-pki/agents/installed.key /etc/clew/tls/")
    account.check(machine)
    assert [main_pid(machine, unit) for unit in UNITS] == pids, "they are the same processes"


def back_up(machine):
    host.step("a backup as the timer makes it, and a restore after everything is gone")
    machine.put(host.ROOT / "deploy/systemd/drop-ins/aggregator/backup-to-folder.conf", "/etc/systemd/system/clew-aggregator-backup.service.d")
    machine.run("install -d -o clew -m 700 /backup/clew; systemctl daemon-reload; systemctl start clew-aggregator-backup.service")
    assert "settled" in machine.run(f"clew trace {account.trace_id(3)}")
    machine.run("systemctl enable --now clew-aggregator-backup.timer; systemctl stop clew-aggregator; rm -r /var/lib/clew/*; "
                "clew-aggregator restore /backup/clew --config /etc/clew/aggregator.toml; systemctl start clew-aggregator")
    # The agent goes on where the backup ends.
    account.check(machine)
    machine.run("systemctl disable --now clew-aggregator-backup.timer; "
                "rm -r /etc/systemd/system/clew-aggregator-backup.service.d /backup; systemctl daemon-reload")


def kill(machine):
    host.step("kill -9 of both, five times each, while the service writes")
    for _ in range(5):
        for unit in UNITS:
            pid = main_pid(machine, unit)
            machine.run(f"kill -9 {pid}")
            restarted = lambda: main_pid(machine, unit) not in (pid, "0") and is_active(machine, unit)
            host.until(f"{unit} to run again", restarted)
    account.check(machine)


def hang(machine):
    host.step("hang both: the watchdog starts them again")
    # /run of the machine is its own tmpfs: written from inside.
    for unit in UNITS:
        machine.run(f"mkdir -p /run/systemd/system/{unit}.service.d; "
                    f"printf '[Service]\\nWatchdogSec=2s\\nTimeoutAbortSec=1s\\n' > /run/systemd/system/{unit}.service.d/soon.conf")
    machine.run(f"systemctl daemon-reload; systemctl restart {' '.join(UNITS)}")
    for unit in UNITS:
        pid = main_pid(machine, unit)
        machine.run(f"kill -STOP {pid}")
        host.until(f"{unit} to be started again", lambda: main_pid(machine, unit) not in (pid, "0") and is_active(machine, unit))
        assert "watchdog" in machine.run(f"journalctl --no-pager --unit={unit} | grep -i watchdog").lower()
    machine.run("rm -r /run/systemd/system/clew-*.service.d; systemctl daemon-reload; systemctl restart clew-aggregator clew-agent")
    account.check(machine)


def reboot(machine):
    host.step("reboot: all come back by themselves")
    machine.reboot()
    all_run(machine)
    assert machine.run(f"nsenter -t {main_pid(machine, 'clew-agent')} -m ls -A /var/lib/clew") == "", "the aggregator's data is hidden"
    account.check(machine)


def other_version(machine, debs, what):
    version = debs[0].name.split("_")[1]
    host.step(f"{what} to {version}")
    config = machine.root / "etc/clew/agent.toml"
    before = config.read_text()
    pids = [main_pid(machine, unit) for unit in UNITS]
    machine.run(f"apt-get install -y --allow-downgrades {paths(debs)}")
    for unit, pid in zip(UNITS, pids):
        assert machine.run(f"dpkg-query -Wf '${{Version}}' {unit}") == version
        assert main_pid(machine, unit) != pid, f"{unit} was started again"
    all_run(machine)
    assert config.read_text() == before, "the changed configuration stays"
    account.check(machine)


def remove(machine, debs):
    host.step("remove: configuration and state stay, and installed again they go on")
    machine.run("apt-get remove -y clew-aggregator clew-agent clew")
    for unit in UNITS:
        assert machine.run(f"systemctl is-active {unit}", check=False).returncode != 0
    machine.run("! test -e /usr/bin/clew-agent; ! test -e /usr/bin/clew-aggregator; ! test -e /usr/bin/clew")
    machine.run("test -f /etc/clew/agent.toml; test -f /etc/clew/aggregator.toml; test -d /var/lib/clew/partitions; test -n \"$(ls /var/lib/clew-agent)\"")
    machine.run(f"apt-get install -y {paths(debs)}")
    all_run(machine)
    assert "/var/log/services" in (machine.root / "etc/clew/agent.toml").read_text()
    account.check(machine)


def purge(machine):
    host.step("purge: nothing stays but the service's own log")
    # What an operator made is the operator's.
    machine.run("rm -r /etc/clew/tls /root/clew-pki")
    machine.run("apt-get purge -y clew-aggregator clew-agent clew")
    left = machine.run("ls -d /etc/clew /var/lib/clew /var/lib/clew-agent /etc/systemd/system/multi-user.target.wants/clew-* "
                       "/usr/lib/systemd/system/clew-* /usr/lib/sysusers.d/clew-* 2>/dev/null || true")
    assert not left, left
    assert int(machine.run(f"({account.WRITTEN}) | tail -1")) > 0


def all_run(machine):
    for unit in UNITS:
        host.until(f"{unit} to be active", lambda: is_active(machine, unit))


def main_pid(machine, unit):
    return machine.run(f"systemctl show -P MainPID {unit}").strip()


def is_active(machine, unit):
    return machine.run(f"systemctl is-active {unit}", check=False).stdout.strip() == "active"


def paths(debs):
    return " ".join(f"/root/{deb.name}" for deb in debs)
