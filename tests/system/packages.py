"""Scenario: what is in the deb and rpm files, and an rpm's life in a Debian tree: install, install again, erase."""

import re

import host
import tree

PROGRAMS = {"clew-agent": "agent", "clew-aggregator": "aggregator", "clew": None}
# As static as glibc allows: what any Debian or Fedora has.
LIBRARIES = {"linux-vdso.so.1", "libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def run():
    host.need("dpkg-deb", "dpkg")
    host.need("rpm", "rpm")
    for name, config in PROGRAMS.items():
        host.step(name)
        contents(name, config)
        binary(name)
    rpm_life()


def contents(name, config):
    deb, rpm = host.package(name), host.package(name, kind="rpm")
    in_deb = {line.split()[-1].lstrip(".") for line in host.command("dpkg-deb", "--contents", deb).splitlines() if not line.startswith("d")}
    in_rpm = set(host.command("rpm", "-qpl", rpm).split())
    # Each has its own place for zsh, and a deb a file with the licence.
    common = lambda files: {path for path in files if "/zsh/" not in path and not path.endswith("/copyright")}
    assert common(in_deb) == common(in_rpm), common(in_deb) ^ common(in_rpm)
    expected = {f"/usr/bin/{name}", f"/usr/share/man/man1/{name}.1.gz", f"/usr/share/bash-completion/completions/{name}"}
    if config:
        file = f"/etc/clew/{config}.toml"
        expected |= {file, f"/usr/lib/systemd/system/{name}.service", f"/usr/lib/sysusers.d/{name}.conf"}
        assert host.command("dpkg-deb", "--info", deb, "conffiles").split() == [file]
        assert host.command("rpm", "-qp", "--configfiles", rpm).split() == [file]
        flags = host.command("rpm", "-qp", "--queryformat", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]", rpm)
        assert f"{file} cn" in flags, "the rpm keeps a changed configuration: noreplace"
    assert expected <= in_deb, expected - in_deb
    assert expected <= in_rpm, expected - in_rpm
    # Nobody but root writes what is installed.
    for line in host.command("dpkg-deb", "--contents", deb).splitlines():
        assert re.match(r"[d-]rw[x-]r-[x-]r-[x-] 0/0 ", line), line
    print(f"    {len(in_deb)} files; {deb.name} {deb.stat().st_size >> 10} KiB, {rpm.name} {rpm.stat().st_size >> 10} KiB")


def binary(name):
    folder = host.WORK / "unpacked"
    tree.remove(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    host.command("dpkg-deb", "--extract", host.package(name), folder)
    program = folder / "usr/bin" / name
    libraries = {line.split()[0].rsplit("/", 1)[-1] for line in host.command("ldd", program).splitlines()}
    assert libraries <= LIBRARIES, libraries - LIBRARIES
    assert not re.search(r"\.(symtab|debug_info)\b", host.command("readelf", "--sections", "--wide", program)), "it is stripped"
    # A page for each subcommand, and no option of the program that its page does not have.
    page = host.command("zcat", folder / f"usr/share/man/man1/{name}.1.gz")
    subcommands = re.findall(r"^  ([a-z]+)  ", host.command(program, "--help"), re.M)
    for subcommand in set(subcommands) - {"help"}:
        assert (folder / f"usr/share/man/man1/{name}-{subcommand}.1.gz").exists(), subcommand
        assert subcommand in page, subcommand
    print(f"    pages for {', '.join(sorted(set(subcommands) - {'help'}))}")


def rpm_life():
    host.step("an rpm in a tree: configuration and state stay")
    root = tree.copy("rpm-tree")
    rpm = lambda *arguments: host.command("rpm", "--root", root, "--nodeps", *arguments)
    packages = [host.package(name, kind="rpm") for name in PROGRAMS]
    try:
        rpm("--install", *packages)
        users = (root / "etc/passwd").read_text()
        assert "\nclew:" in users and "\nclew-agent:" in users, users
        config, state = root / "etc/clew/agent.toml", root / "var/lib/clew-agent/checkpoint"
        config.write_text(config.read_text() + "# changed\n")
        state.parent.mkdir()
        state.write_text("state")
        rpm("--install", "--replacepkgs", *packages)
        assert config.read_text().endswith("# changed\n")
        rpm("--erase", *PROGRAMS)
        assert not (root / "usr/bin/clew-agent").exists()
        assert (root / "etc/clew/agent.toml.rpmsave").read_text().endswith("# changed\n")
        assert state.exists()
    finally:
        tree.remove(root)
