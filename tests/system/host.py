"""Commands, waiting, and what has to be installed on this machine."""

import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "target/packages"
WORK = ROOT / "target/system"


class Skipped(Exception):
    """The scenario cannot be run here, and why."""


def step(what):
    """What the scenario does now."""
    print(f"--- {what}", flush=True)


def command(*arguments, check=True, **options):
    """Runs a command and returns its output; a failure shows all of it."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout if check else done


def until(what, probe, seconds=60):
    """Waits until `probe` returns something true, and returns that. An AssertionError in it means: not yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = probe()
            why = f"the last look found {found!r}"
        except AssertionError as error:
            found, why = None, str(error)
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s; {why}"
        time.sleep(0.1)


def need_root():
    if os.geteuid() != 0:
        raise Skipped("needs root")


def need(program, package):
    """Installs `package` if there is no `program`."""
    if shutil.which(program):
        return
    need_root()
    if not shutil.which("apt-get"):
        raise Skipped(f"there is no {program}, and no apt-get to install {package} with")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = command("apt-get", "-q", *arguments, check=False, env=environment)
    if not shutil.which(program):
        raise Skipped(f"there is no {program}, and apt-get install {package} fails: {done.stdout.splitlines()[-1:]}")


def python_with(*requirements):
    """The Python of a virtual environment that has these packages."""
    home = WORK / "python"
    python = home / "bin/python3"
    if not python.exists() and command("python3", "-m", "venv", home, check=False).returncode != 0:
        raise Skipped("python3 -m venv fails: is python3-venv installed?")
    done = command(python, "-m", "pip", "install", "-q", *requirements, check=False)
    if done.returncode != 0:
        raise Skipped(f"pip cannot install {', '.join(requirements)}: {done.stdout.strip().splitlines()[-1:]}")
    return python


def program(name):
    """A program of those that `make packages` put into packages and images."""
    path = PACKAGES / "bin" / name
    if not path.exists():
        raise Skipped(f"there is no {path}: run make packages")
    return path


def package(name, kind="deb"):
    """The file of a package that `make packages` built."""
    pattern = f"{name}_{workspace_version()}-1_*.deb" if kind == "deb" else f"{name}-{workspace_version()}-1.*.rpm"
    found = sorted(PACKAGES.glob(pattern))
    if not found:
        raise Skipped(f"there is no {PACKAGES / pattern}: run make packages")
    return found[-1]


def repacked(deb, version, change=lambda tree: None):
    """The same package with another version, and perhaps another change to its files."""
    folder = WORK / "repacked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    command("dpkg-deb", "--raw-extract", deb, folder)
    control = folder / "DEBIAN/control"
    control.write_text("".join(f"Version: {version}\n" if line.startswith("Version: ") else line
                               for line in control.read_text().splitlines(keepends=True)))
    change(folder)
    name, _, architecture = deb.stem.split("_")
    target = WORK / f"{name}_{version}_{architecture}.deb"
    command("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", folder, target)
    shutil.rmtree(folder)
    return target


def workspace_version():
    for line in (ROOT / "Cargo.toml").read_text().splitlines():
        if line.startswith("version = "):
            return line.split('"')[1]
    raise AssertionError("Cargo.toml has no version")
