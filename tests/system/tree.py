"""A Debian tree, made once with debootstrap and copied for each use."""

import os
import shutil

import host

SUITE = "bookworm"
INCLUDED = "systemd,systemd-sysv,dbus,curl"


def base():
    """The tree that is copied; nothing ever changes it."""
    host.need_root()
    host.need("debootstrap", "debootstrap")
    tree = host.WORK / f"{SUITE}-tree"
    if tree.exists():
        return tree
    host.step(f"debootstrap {SUITE}")
    growing = host.WORK / f"{SUITE}-growing"
    remove(growing)
    growing.parent.mkdir(parents=True, exist_ok=True)
    done = host.command(
        "debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, growing, "http://deb.debian.org/debian",
        check=False, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"),
    )
    if done.returncode != 0:
        raise host.Skipped(f"debootstrap fails: {done.stdout.strip().splitlines()[-1:]}")
    growing.rename(tree)
    return tree


def copy(name, of=None):
    """A copy of its own."""
    tree = host.WORK / name
    remove(tree)
    host.command("cp", "-a", of or base(), tree)
    return tree


def remove(tree):
    """Removes it. What a machine mounted below it went away with the machine."""
    if tree.exists():
        shutil.rmtree(tree)
