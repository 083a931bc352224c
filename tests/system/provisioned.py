"""Scenario: the Ansible role on a booted Debian, twice each: install, upgrade, rollback, and a version that does not run."""

import json
import re

import account
import host
import tree
from installed import NEWER, UNITS
from machine import Machine

BROKEN = "9.9.9-1"
HOSTS = """[clew_aggregator]
localhost ansible_connection=local
[clew_agents]
localhost ansible_connection=local
[all:vars]
clew_packages = /root/packages
"""
VARIABLES = """clew_agent_sources: |
  [[source]]
  service = "payments"
  include = ["/var/log/payments/*.log"]
clew_agent_limits: {idle_flush: 2s}
"""


def run():
    first, second = f"{host.workspace_version()}-1", NEWER
    debs = [host.package(name) for name in UNITS]
    debs += [host.repacked(deb, second) for deb in debs] + [host.repacked(debs[0], BROKEN, break_program)]
    machine = Machine("provisioned", with_ansible())
    try:
        host.step("boot")
        machine.boot()
        host.command("cp", "-a", host.ROOT / "deploy/ansible", machine.root / "root/ansible")
        for deb in debs:
            machine.put(deb, "/root/packages")
        machine.write("/root/hosts.ini", HOSTS)
        machine.write("/root/variables.yml", VARIABLES)
        twice(machine, "install", first, clew_version=first)
        account.install(machine)
        trace = account.trace_id(2)
        host.until("a request to be found", lambda: f'"value":"{trace}"' in machine.run(f"curl -sS http://127.0.0.1:7601/api/v1/transactions/{trace}"))
        certificates(machine, first)
        twice(machine, "upgrade", second, clew_version=second)
        account.check(machine)
        twice(machine, "rollback", first, clew_version=second, clew_rollback=True)
        account.check(machine)
        broken(machine, first)
        account.check(machine)
        for_others(machine, first)
    finally:
        machine.end()


def with_ansible():
    """The Debian tree, with Ansible in it."""
    finished = host.WORK / "bookworm-ansible-tree"
    if not finished.exists():
        growing = tree.copy("bookworm-ansible-growing")
        host.step("install ansible-core in a tree")
        host.command("cp", "-L", "/etc/resolv.conf", growing / "etc/resolv.conf")
        for arguments in ("update", "install -y --no-install-recommends ansible-core python3-apt"):
            done = host.command("chroot", growing, "apt-get", "-q", *arguments.split(), check=False)
            if done.returncode != 0:
                raise host.Skipped(f"apt-get {arguments} in the tree: {done.stdout.strip().splitlines()[-1:]}")
        growing.rename(finished)
    return finished


def certificates(machine, version):
    """From here on: another configuration, which the agent takes while it runs; and then certificates alone."""
    pki = "clew-aggregator pki"
    machine.run(f"{pki} init /root/clew-pki; {pki} server /root/clew-pki localhost; {pki} agent /root/clew-pki $(hostname)")
    machine.write("/root/variables.yml", VARIABLES + "clew_pki: /root/clew-pki\nclew_agent_aggregator: https://localhost:7600\n")
    twice(machine, "certificates", version, clew_version=version)
    assert "certificate" in machine.run("clew-agent check --config /etc/clew/agent.toml")
    machine.run(f"{pki} agent /root/clew-pki $(hostname)")
    done = play(machine, clew_version=version)
    assert done.returncode == 0 and "changed=1 " in done.stdout, done.stdout
    account.check(machine)


def for_others(machine, version):
    secret = machine.run("clew-aggregator token generate").strip()
    twice(machine, "HTTP for other hosts: a token, and TLS", version, clew_version=version, clew_aggregator_http_listen="0.0.0.0:7601",
          clew_aggregator_tokens=[{"name": "people", "scopes": ["read"], "secrets": [secret]}])
    agents = "curl -sS --cacert /root/clew-pki/ca.crt https://localhost:7601/api/v1/status/agents"
    assert '"status":401' in machine.run(agents).replace(" ", "")
    assert "provisioned" in machine.run(f"{agents} -H 'Authorization: Bearer {secret}'")


def play(machine, **variables):
    return machine.run(f"cd /root/ansible && ANSIBLE_PIPELINING=1 ansible-playbook -i /root/hosts.ini -e @/root/variables.yml "
                       f"-e '{json.dumps(variables)}' site.yml", check=False)


def twice(machine, what, version, **variables):
    host.step(f"{what}: to {version}, and the second run changes nothing")
    for is_second in (False, True):
        done = play(machine, **variables)
        assert done.returncode == 0, done.stdout
        changed = int(re.search(r"changed=(\d+)", done.stdout)[1])
        assert (changed == 0) == is_second, f"changed={changed}\n{done.stdout}"
        print(f"    {done.stdout.strip().splitlines()[-1]}")
    has(machine, version)


def has(machine, version):
    for unit in UNITS:
        assert machine.run(f"dpkg-query -Wf '${{Version}}' {unit}") == version
        assert machine.run(f"systemctl is-active {unit}").strip() == "active"


def break_program(folder):
    program = folder / "usr/bin/clew-aggregator"
    program.unlink()
    program.symlink_to("/bin/false")


def broken(machine, version):
    host.step("a version that does not run: the role brings back the one that does, and says so")
    done = play(machine, clew_version=BROKEN)
    assert done.returncode != 0 and f"{version} is back" in done.stdout, done.stdout
    has(machine, version)
