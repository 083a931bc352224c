"""A Docker engine of our own, ended with the scenario: nothing is pulled, `debian:bookworm-slim` is made of the Debian tree."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import host
import tree

BASE = "debian:bookworm-slim"


class Engine:
    def __init__(self):
        host.need_root()
        host.need("dockerd", "docker.io")
        host.need("docker", "docker.io")
        host.need("iptables", "iptables")
        self.home = host.WORK / "docker"
        self.data = self.home / "data"
        self.environment = dict(os.environ, DOCKER_HOST=f"unix://{self.home}/socket", DOCKER_BUILDKIT="0")
        self.environment.pop("DOCKER_CONTEXT", None)

    def start(self):
        """Starts it, and waits until it answers."""
        self.clear()
        self.home.mkdir(parents=True)
        self.had_bridge = Path("/sys/class/net/docker0").exists()
        # dockerd lets nothing through this machine but its own; as it was before, it is again afterwards.
        self.forward = host.command("iptables", "--list-rules", "FORWARD", check=False).stdout.splitlines()[:1]
        log = open(self.home / "log", "wb")
        self.process = subprocess.Popen(
            ["dockerd", "--host", self.environment["DOCKER_HOST"], "--data-root", self.data, "--exec-root", self.home / "exec",
             "--pidfile", self.home / "pid"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )

        def answers():
            if self.process.poll() is not None:
                raise host.Skipped(f"dockerd ends: {(self.home / 'log').read_text(errors='replace').strip()[-300:]}")
            return self("info", check=False).returncode == 0
        host.until("dockerd to answer", answers)
        done = subprocess.run(f"tar -C '{tree.base()}' -c . | docker import - {BASE}", shell=True, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout

    def start_with_images(self):
        """The same, and builds the images of this project."""
        host.program("clew-agent")
        host.step("start the engine, build the images")
        self.start()
        host.command(host.ROOT / "deploy/docker/build.sh", env=self.environment)

    def __call__(self, *arguments, check=True, **options):
        """Runs `docker`."""
        return host.command("docker", *arguments, check=check, env=self.environment, **options)

    def run(self, *arguments):
        """Starts a container in the background, and returns its ID."""
        return self("run", "--detach", *arguments).strip().splitlines()[-1]

    def inspect(self, container, template):
        return self("inspect", "--format", "{{" + template + "}}", container).strip()

    def end(self):
        """Removes all containers, and ends the engine."""
        process = getattr(self, "process", None)
        if process is None or process.poll() is not None:
            return
        containers = self("ps", "--all", "--quiet", check=False).stdout.split()
        if containers:
            self("rm", "--force", *containers, check=False)
        # Their bridges would stay.
        self("network", "prune", "--force", check=False)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        self.clear()
        if self.forward == ["-P FORWARD ACCEPT"]:
            host.command("iptables", "--policy", "FORWARD", "ACCEPT", check=False)
        if not self.had_bridge:
            host.command("ip", "link", "delete", "docker0", check=False)

    def clear(self):
        """Removes what an engine left, mounts first."""
        for line in reversed(open("/proc/mounts").readlines()):
            if line.split()[1].startswith(f"{self.home}/"):
                host.command("umount", line.split()[1], check=False)
        shutil.rmtree(self.home, ignore_errors=True)
