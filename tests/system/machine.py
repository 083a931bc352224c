"""A booted Debian: systemd as PID 1 of a systemd-nspawn container, with a network of its own that has only loopback."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import host
import tree

BOOT_SECONDS = 120
# How nspawn says that the machine wants to be started again, when no service manager looks after nspawn itself.
REBOOTED = 133


class Machine:
    """Runs from `boot` until `end`."""

    def __init__(self, name, of=None):
        host.need_root()
        host.need("systemd-nspawn", "systemd-container")
        host.need("nsenter", "util-linux")
        self.name = name
        self.root = tree.copy(f"machine-{name}", of)
        (self.root / "etc/hostname").write_text(f"{name}\n")
        # Each machine has an identity of its own.
        (self.root / "etc/machine-id").write_text("")
        self.console = host.WORK / f"machine-{name}.console"
        self.nspawn = None
        self.leader = None

    def boot(self):
        """Starts it and waits until systemd says that it is up."""
        arguments = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={self.name}",
                     "--private-network", "--register=no", "--link-journal=no", "--console=pipe"]
        if not Path("/run/systemd/system").is_dir():
            arguments.append("--keep-unit")
        is_first = self.nspawn is None
        with open(self.console, "ab") as console:
            self.nspawn = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            self.wait_up()
        except AssertionError as error:
            # A bare Debian that does not come up is this machine's fault.
            raise host.Skipped(str(error)) if is_first else error

    def wait_up(self):
        def is_up():
            if self.nspawn.poll() is not None:
                text = self.console.read_text(errors="replace")
                raise host.Skipped(f"systemd-nspawn ends with {self.nspawn.returncode}: {text.strip()[-300:]}")
            self.leader = leader(self.nspawn.pid)
            state = self.run("systemctl is-system-running", check=False).stdout.strip() if self.leader else ""
            return state in ("running", "degraded")
        host.until(f"machine {self.name} to be up", is_up, BOOT_SECONDS)

    def run(self, script, check=True):
        """Runs a shell script in it."""
        entered = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]
        clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                 "HOME": "/root", "LANG": "C.UTF-8"}
        return host.command(*entered, "/bin/bash", "-euo", "pipefail", "-c", script, check=check, env=clean)

    def put(self, source, folder="/root"):
        """Copies a file into it."""
        target = self.root / folder.lstrip("/") / Path(source).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        return f"{folder}/{Path(source).name}"

    def write(self, path, text, mode=0o644):
        """Writes a file in it."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def boot_id(self):
        return self.run("systemctl show --property=UserspaceTimestampMonotonic --value; cat /proc/1/stat | cut -d' ' -f22")

    def reboot(self):
        """As an operator does it."""
        before = self.boot_id()
        self.run("systemctl reboot", check=False)

        def is_down():
            if self.nspawn.poll() == REBOOTED:
                return True
            return self.nspawn.poll() is None and leader(self.nspawn.pid) not in (None, self.leader)
        host.until(f"machine {self.name} to go down", is_down, BOOT_SECONDS)
        if self.nspawn.poll() == REBOOTED:
            self.boot()
        else:
            self.wait_up()
        assert self.boot_id() != before, "it did not start anew"

    def end(self):
        """Pulls the plug, and removes the tree."""
        if self.nspawn and self.nspawn.poll() is None:
            if self.leader:
                try:
                    os.kill(self.leader, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                self.nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        tree.remove(self.root)


def leader(nspawn):
    """PID 1 of the machine, as this machine sees it."""
    try:
        children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
    except FileNotFoundError:
        return None
    # nspawn has a helper between itself and the machine while that is set up; PID 1 is called systemd when it is there.
    for child in children:
        for candidate in [child, *Path(f"/proc/{child}/task/{child}/children").read_text().split()]:
            names = Path(f"/proc/{candidate}/status").read_text()
            if any(line.startswith("NSpid:") and line.split()[-1] == "1" and len(line.split()) > 2 for line in names.splitlines()) \
                    and Path(f"/proc/{candidate}/comm").read_text().strip() == "systemd":
                return int(candidate)
    return None
