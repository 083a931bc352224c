"""Scenario: images from the Dockerfiles; logs of containers, from files by a sidecar and from standard output by a host agent."""

import json
import shutil
import socket
import time

import account
import host
from engine import BASE, Engine

NETWORK = "clew"
# A SIGTERM that nobody handles would take the whole patience of `docker stop`.
STOP_SECONDS = 60
AT_ONCE_SECONDS = 20
SECRETS = host.WORK / "secrets"
# What gives a container the tokens.
SHOWN = ("--volume", f"{SECRETS}:/run/secrets:ro")


def run():
    engine = Engine()
    try:
        engine.start_with_images()
        for image in ("clew-aggregator", "clew-agent", "clew"):
            print(f"    {image}: user {engine.inspect(image, '.Config.User')}, {int(engine.inspect(image, '.Size')) >> 20} MiB")
        engine("network", "create", NETWORK)
        tokens(engine)
        aggregator(engine)
        sidecar(engine)
        host_agent(engine)
        job(engine)
        once(engine)
        aggregator_ends(engine)
        compose(engine)
    finally:
        engine.end()


def lines(begin, end, trace, last_line_feed=True):
    """A shell script that writes numbered lines of one request to standard output, the last one perhaps without a line feed."""
    script = (f"for n in $(seq {begin} {end}); do printf 'level=info msg=\"in a container\" trace_id={trace} n=%d' $n; "
              f"[ $n = {end} ] {'&& false' if last_line_feed else ''} || echo; done")
    return script


def tokens(engine):
    host.step("secrets for tokens, as compose.yaml says")
    SECRETS.mkdir(exist_ok=True)
    for name in ("ingest", "read"):
        (SECRETS / f"clew-{name}").write_text(engine("run", "--rm", "clew-aggregator", "token", "generate"))


def token():
    return (SECRETS / "clew-read").read_text().strip()


def aggregator(engine):
    host.step("the aggregator, not root, without any capability, healthy")
    engine.run("--name", "aggregator", "--network", NETWORK, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
               *SHOWN, "clew-aggregator")
    is_healthy(engine, "aggregator")
    assert engine("exec", "aggregator", "id", "-u").strip() == "7600"
    refused = engine("run", "--rm", "--network", NETWORK, "--env", "CLEW_SERVER=http://aggregator:7601", "clew", "agents", check=False)
    assert refused.returncode == 1 and "is locked" in refused.stdout, refused
    refused = engine("run", "--rm", "--network", NETWORK, "clew-agent", "check", "--config", "/etc/clew/agent.toml", check=False)
    assert refused.returncode != 0 and "token_file /run/secrets/clew-ingest: No such file" in refused.stdout, refused


def sidecar(engine):
    host.step("a sidecar: the service ends, and its last lines arrive before the sidecar ends")
    trace = account.trace_id(0xA1)
    engine("volume", "create", "payments")
    engine("run", "--rm", "--volume", "payments:/logs/payments", BASE, "chown", "1000", "/logs/payments")
    config = host.WORK / "sidecar.toml"
    config.write_text("ephemeral = true\n" + (host.ROOT / "deploy/docker/agent.toml").read_text())
    engine.run("--name", "sidecar", "--network", NETWORK, "--volume", "payments:/logs/payments:ro", "--user", "1000:7602", "--hostname", "web",
               "--volume", f"{config}:/etc/clew/agent.toml:ro", *SHOWN, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "clew-agent")
    is_healthy(engine, "sidecar")
    # Its files are for its own user alone; the very last line has no line feed.
    script = f"umask 077; ({lines(1, 50, trace)}; sleep 3; {lines(51, 100, trace, last_line_feed=False)}) > /logs/payments/app.log"
    engine("run", "--rm", "--user", "1000", "--volume", "payments:/logs/payments", BASE, "bash", "-c", script)
    stop(engine, "sidecar")
    answer = found(engine, trace, "payments", 100)
    # It said that it will not be back: nobody waits for it.
    assert answer["completeness"]["state"] == "settled", answer["completeness"]


def host_agent(engine):
    host.step("a host agent: what containers write to standard output, in their names")
    config = host.WORK / "host-agent.toml"
    config.write_text('aggregator = "http://aggregator:7600"\ntoken_file = "/run/secrets/clew-ingest"\nmetrics_listen = "127.0.0.1:7602"\n'
                      + (host.ROOT / "deploy/sources/docker.toml").read_text())
    engine.run("--name", "host-agent", "--network", NETWORK, "--volume", f"{engine.data}/containers:/var/lib/docker/containers:ro",
               "--volume", f"{config}:/etc/clew/agent.toml:ro", *SHOWN, "--user", "0:7602", "--read-only", "--cap-drop", "ALL",
               "--cap-add", "DAC_READ_SEARCH", "--security-opt", "no-new-privileges", "clew-agent")
    is_healthy(engine, "host-agent")
    trace = account.trace_id(0xB2)
    engine("run", "--name", "checkout", BASE, "bash", "-c", lines(1, 100, trace))
    host.until("its lines to be found", lambda: found(engine, trace, "checkout", 100) or True)
    stop(engine, "host-agent")


def job(engine):
    host.step("a job with a sidecar: it ends, the sidecar is told, and nothing hangs")
    trace = account.trace_id(0xC3)
    engine("volume", "create", "nightly")
    engine.run("--name", "nightly-sidecar", "--network", NETWORK, "--volume", "nightly:/logs/nightly:ro", *SHOWN, "clew-agent")
    engine.run("--name", "nightly", "--volume", "nightly:/logs/nightly", BASE, "bash", "-c", f"({lines(1, 2000, trace)}) > /logs/nightly/job.log; exit 3")
    assert engine("wait", "nightly").strip() == "3"
    # No pause between the job's end and this.
    stop(engine, "nightly-sidecar")
    found(engine, trace, "nightly", 2000)


def once(engine):
    host.step("a job without a sidecar: `run --once` ships its files afterwards, and ends by itself")
    trace = account.trace_id(0xD4)
    engine("volume", "create", "weekly")
    engine("run", "--rm", "--volume", "weekly:/logs/weekly", BASE, "bash", "-c", f"({lines(1, 500, trace)}) > /logs/weekly/job.log")
    engine("run", "--rm", "--network", NETWORK, "--volume", "weekly:/logs/weekly:ro", *SHOWN, "clew-agent",
           "run", "--once", "--timeout", "1m", "--config", "/etc/clew/agent.toml")
    found(engine, trace, "weekly", 500)


def aggregator_ends(engine):
    host.step("the aggregator ends by SIGTERM with everything committed, and starts again with all of it")
    stop(engine, "aggregator")
    assert "everything is committed" in engine("logs", "aggregator")
    engine("start", "aggregator")
    is_healthy(engine, "aggregator")
    for request, service, count in [(0xA1, "payments", 100), (0xB2, "checkout", 100), (0xC3, "nightly", 2000), (0xD4, "weekly", 500)]:
        found(engine, account.trace_id(request), service, count)


def compose(engine):
    host.step("compose.yaml, as it stands")
    program = compose_program(engine)
    if program is None:
        host.need("docker-compose", "docker-compose")
        program = ["docker-compose"]
    port = free_port()
    api = f"http://127.0.0.1:{port}/api/v1"
    environment = dict(engine.environment, CLEW_HTTP_PORT=str(port), CLEW_SECRETS=str(SECRETS))
    authorization = ("-H", f"Authorization: Bearer {token()}")
    files = ["--file", host.ROOT / "deploy/compose.yaml"]
    call = lambda *arguments: host.command(*program, *files, "--project-name", "trial", *arguments, env=environment)
    call("up", "--detach")
    try:
        trace = account.trace_id(5)
        search = lambda: json.loads(host.command("curl", "-fsS", *authorization, f"{api}/transactions/{trace}"))
        answer = host.until("a payment to be found from this machine", search)
        assert [record["service"] for record in answer["records"]] == ["payments"], answer
        started = time.monotonic()
        call("stop")
        print(f"    stopped in {time.monotonic() - started:.0f} s")
        host.step("compose.tls.yaml over it: the same data, by TLS, and an agent of another host")
        files += ["--file", host.ROOT / "deploy/compose.tls.yaml"]
        certificates(engine)
        environment["CLEW_GRPC_PORT"] = str(free_port())
        call("up", "--detach")
        later = account.trace_id(int(written_by(engine)) + 20)
        host.until("a payment to be found", lambda: f'"value":"{later}"' in host.command("curl", "-fsS", *authorization, f"{api}/transactions/{later}"))
        other_host(environment["CLEW_GRPC_PORT"])
        call("stop")
        # What the service wrote to its last moment: in the volume, and in the aggregator's.
        written = written_by(engine)
        call("start", "aggregator")
        count = lambda: sum(account.held(host.command("curl", "-fsS", *authorization, "-H", "Accept: application/x-ndjson",
                                                      f"{api}/logs/search?q=service:payments")).values())
        host.until("every line to be found", lambda: count() == int(written))
        print(f"    {written} lines written, every one found once")
    finally:
        call("down", "--volumes")


def certificates(engine):
    """As compose.tls.yaml says."""
    folder = host.WORK / "compose-pki"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    pki = lambda *arguments: engine("run", "--rm", "--user", "0", "--volume", f"{folder}:/pki", "clew-aggregator", "pki", *arguments)
    pki("init", "/pki")
    pki("server", "/pki", "aggregator", "localhost")
    for name in ("server.crt", "server.key", "ca.crt"):
        (SECRETS / name).write_bytes((folder / name).read_bytes())
        (SECRETS / name).chmod(0o644)


def other_host(port):
    """An agent that is no container, as one of another host: let in by token and TLS, and not without the authority."""
    config = host.WORK / "other-host.toml"
    text = (f'aggregator = "https://localhost:{port}"\nstate_dir = "{host.WORK / "other-host-state"}"\ntoken_file = "{SECRETS / "clew-ingest"}"\n'
            '[[source]]\nservice = "other"\ninclude = ["/var/log/other/*.log"]\n')
    check = lambda: host.command(host.PACKAGES / "bin/clew-agent", "check", "--config", config, check=False)
    config.write_text(text)
    refused = check()
    assert refused.returncode != 0 and "certificate" in refused.stdout, refused.stdout
    config.write_text(f'{text}[tls]\nca = "{SECRETS / "ca.crt"}"\n')
    let_in = check()
    assert let_in.returncode == 0, let_in.stdout


def written_by(engine):
    """How many lines the service of compose.yaml has written."""
    return engine("run", "--rm", "--volume", "trial_payments-logs:/logs", BASE, "wc", "-l", "/logs/app.log").split()[0]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def compose_program(engine):
    return ["docker", "compose"] if engine("compose", "version", check=False).returncode == 0 else None


def is_healthy(engine, container):
    def look():
        state = engine.inspect(container, ".State.Status")
        assert state == "running", f"{container} is {state}: {engine('logs', container)}"
        return engine.inspect(container, ".State.Health.Status") == "healthy"
    host.until(f"{container} to be healthy", look)


def stop(engine, container):
    """SIGTERM to PID 1: it ends by itself, at once, and well."""
    started = time.monotonic()
    engine("stop", "--time", STOP_SECONDS, container)
    took = time.monotonic() - started
    code = engine.inspect(container, ".State.ExitCode")
    assert code == "0", f"{container} ended with {code}: {engine('logs', container)}"
    assert took < AT_ONCE_SECONDS, f"{container} took {took:.0f} s to end"


def found(engine, trace, service, count):
    """Every line of the request is there once, in order, under the service's name. Asked with the image of the command line."""
    text = engine("run", "--rm", "--network", NETWORK, "--env", "CLEW_SERVER=http://aggregator:7601",
                  *SHOWN, "--env", "CLEW_TOKEN_FILE=/run/secrets/clew-read", "clew", "trace", "--json", trace)
    answer = json.loads(text)
    numbers = [account.number(record["line"]) for record in answer["records"]]
    assert numbers == list(range(1, count + 1)), f"{service}: {len(numbers)} of {count} lines: {numbers[:5]} to {numbers[-5:]}"
    assert {record["service"] for record in answer["records"]} == {service}, answer["summary"]
    return answer
