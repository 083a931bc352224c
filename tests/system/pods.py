"""Scenario: the production overlay and a sidecar's, rendered and then run as a kubelet would: users, capabilities, mounts, probes, the order in which
containers end. The engine stands in for the kubelet; schedulers, services and network policies are not tried.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import account
import host
from engine import Engine
from kubernetes import rendered

NETWORK = "pods"
SERVICE = "clew-aggregator.clew.svc"
HOME = host.WORK / "pods"
PKI = HOME / "pki"
NODE = "node-7"


def run():
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    production, shop = rendered(host.ROOT / "deploy/kubernetes/overlays/production"), rendered(with_sidecars())
    engine = Engine()
    try:
        engine.start_with_images()
        engine("network", "create", NETWORK)
        cluster = Cluster(engine, [*production, *shop])
        secrets(cluster)
        aggregator = start_aggregator(cluster)
        node_agent(cluster)
        renewal(cluster, aggregator)
        sidecar(cluster)
        job(cluster)
        aggregator.stop()
    finally:
        engine.end()


def with_sidecars():
    """An overlay as somebody writes it: the example's service and job, with sidecars that speak TLS."""
    overlay = HOME / "overlay"
    overlay.mkdir()
    shutil.copy(host.ROOT / "deploy/kubernetes/overlays/sidecar-example/shop.yaml", overlay)
    components = os.path.relpath(host.ROOT / "deploy/kubernetes/components", overlay)
    (overlay / "kustomization.yaml").write_text(
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: shop\nresources: [shop.yaml]\n"
        f"components: [{components}/sidecar, {components}/sidecar-tls]\nimages: [{{name: clew-agent, newTag: {host.workspace_version()}}}]\n")
    return overlay


def secrets(cluster):
    host.step("secrets and certificates, as deploy/README.md has it")
    ours = lambda *arguments: host.command(host.PACKAGES / "bin/clew-aggregator", *arguments)
    ours("pki", "init", PKI)
    ours("pki", "server", PKI, SERVICE, "localhost")
    ingest, read = ours("token", "generate"), ours("token", "generate")
    cluster.put("clew", "clew-tokens", ingest=ingest, read=read)
    cluster.put("clew", "clew-tls", **server_files())
    for namespace in ("clew-agent", "shop"):
        cluster.put(namespace, "clew-token", ingest=ingest)
        cluster.put(namespace, "clew-ca", **{"ca.crt": (PKI / "ca.crt").read_text()})
    cluster.token = read.strip()


def server_files():
    return {"tls.crt": (PKI / "server.crt").read_text(), "tls.key": (PKI / "server.key").read_text()}


def start_aggregator(cluster):
    host.step("the StatefulSet: probes over TLS")
    pod = cluster.pod("StatefulSet", "clew-aggregator", alias=SERVICE)
    pod.start()
    pod.is_ready()
    return pod


def node_agent(cluster):
    host.step("the DaemonSet: CRI files of a node, and another pod of it that goes on")
    trace = account.trace_id(0xE1)
    log = cluster.node / "var/log/pods/shop_checkout-5d9c_4f1e/checkout/0.log"
    log.parent.mkdir(parents=True)
    log.parent.chmod(0o700)
    write = lambda begin, end: [append(log, f"2026-11-28T10:00:00.{n:09d}Z stdout F level=info trace_id={trace} n={n}\n") for n in range(begin, end + 1)]
    write(1, 50)
    first = cluster.pod("DaemonSet", "clew-agent")
    first.start()
    first.is_ready()
    host.until("the lines to be found", lambda: cluster.found(trace, "checkout", 50))
    first.stop()
    write(51, 80)
    second = cluster.pod("DaemonSet", "clew-agent")
    second.start()
    host.until("the lines to be found", lambda: cluster.found(trace, "checkout", 80))
    shown = json.loads(cluster.clew("agents", "--json"))
    assert [agent["host"] for agent in shown["agents"]] == [NODE], shown


def renewal(cluster, aggregator):
    host.step("the certificate is renewed as the kubelet does it, and nothing is started again")
    before = serial(aggregator)
    host.command(host.PACKAGES / "bin/clew-aggregator", "pki", "server", PKI, SERVICE, "localhost")
    cluster.put("clew", "clew-tls", **server_files())
    host.until("the new certificate to be shown", lambda: serial(aggregator) != before)
    aggregator.is_ready()


def serial(pod):
    text = subprocess.run(["openssl", "s_client", "-connect", f"{pod.address()}:7600", "-alpn", "h2"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    done = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def sidecar(cluster):
    host.step("a Deployment's sidecar: started first, ended last, with the service's last words")
    pod = cluster.pod("Deployment", "payments")
    pod.start()
    host.until("a payment to be found", lambda: cluster.found(f"{1:032x}", "payments", 1))
    pod.stop()
    last_words = lambda: json.loads(cluster.clew("trace", "--json", f"{0xe:032x}"))
    assert [record["service"] for record in last_words()["records"]] == ["payments"]
    # Its host will not be back: nobody waits for it.
    host.until("its last request to be settled", lambda: last_words()["completeness"]["state"] == "settled")


def job(cluster):
    host.step("a Job: over when its own container is, its sidecar ends by itself, everything is there")
    pod = cluster.pod("Job", "nightly")
    pod.start()
    pod.wait()
    pod.stop()
    assert cluster.found(f"{0x1d:032x}", "nightly", 1000)


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


class Cluster:
    def __init__(self, engine, resources):
        self.engine, self.resources = engine, resources
        self.node = HOME / "node"
        self.data = {(of["metadata"]["namespace"], of["metadata"]["name"]): of["data"] for of in resources if of["kind"] == "ConfigMap"}
        self.mounted = []

    def put(self, namespace, name, **files):
        """A Secret or ConfigMap. Where it is mounted the kubelet puts the new files beside the old ones, and then turns one link."""
        self.data[namespace, name] = files
        for volume in self.mounted:
            if volume.key == (namespace, name):
                volume.write(files)

    def pod(self, kind, name, **options):
        [resource] = [of for of in self.resources if of["kind"] == kind and of["metadata"]["name"] == name]
        return Pod(self, resource, **options)

    def clew(self, *arguments, check=True):
        """Runs the command line, as a pod of its own would."""
        return self.engine("run", "--rm", "--network", NETWORK, "--env", f"CLEW_SERVER=https://{SERVICE}:7601", "--env", f"CLEW_TOKEN={self.token}",
                           "--volume", f"{PKI / 'ca.crt'}:/ca.crt:ro", "--env", "CLEW_CA=/ca.crt", "clew", *arguments, check=check)

    def found(self, trace, service, count):
        """Every line of the request, once and in order, under the service's name."""
        done = self.clew("trace", "--json", trace, check=False)
        assert done.returncode == 0, done.stdout
        records = json.loads(done.stdout)["records"]
        numbers = [account.number(record["line"]) for record in records]
        assert numbers == list(range(1, count + 1)), f"{service}: {len(numbers)} of {count} lines: {numbers[:5]} to {numbers[-5:]}"
        assert {record["service"] for record in records} == {service}, records[0]
        return True


class Pod:
    """The containers of one pod, by the resource's template."""

    def __init__(self, cluster, resource, alias=None):
        self.cluster, self.alias = cluster, alias
        self.namespace = resource["metadata"]["namespace"]
        self.name = f"{resource['metadata']['name']}-{len(cluster.engine('ps', '--all', '--quiet').split())}"
        self.spec = resource["spec"]["template"]["spec"]
        self.folder = HOME / self.name
        self.volumes = {volume["name"]: self.volume(volume) for volume in self.spec.get("volumes", [])}
        for claim in resource["spec"].get("volumeClaimTemplates", []):
            self.volumes[claim["metadata"]["name"]] = self.volume({"name": claim["metadata"]["name"], "emptyDir": {}})

    def volume(self, volume):
        group = self.spec.get("securityContext", {}).get("fsGroup")
        kind = next(key for key in volume if key != "name")
        if kind == "hostPath":
            folder = self.cluster.node / volume[kind]["path"].lstrip("/")
            assert volume[kind]["type"] == "DirectoryOrCreate" or folder.exists(), folder
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        folder = self.folder / volume["name"]
        folder.mkdir(parents=True)
        if group is not None:
            os.chown(folder, -1, group)
        if kind == "emptyDir":
            folder.chmod(0o2777 if group is None else 0o2775)
            return folder
        key = self.namespace, volume[kind].get("name") or volume[kind].get("secretName")
        assert key in self.cluster.data, f"the pod would wait for {key}"
        mounted = Mounted(key, folder, volume[kind].get("defaultMode", 0o644), group)
        mounted.write(self.cluster.data[key])
        self.cluster.mounted.append(mounted)
        return folder

    def start(self):
        self.sidecars = [self.container(of) for of in self.spec.get("initContainers", [])]
        self.containers = [self.container(of) for of in self.spec["containers"]]

    def container(self, of):
        engine, pod, own = self.cluster.engine, self.spec.get("securityContext", {}), of["securityContext"]
        assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
        if not of["image"].startswith("debian:"):
            engine("tag", f"{Path(of['image']).name.split(':')[0]}:latest", of["image"])
        options = ["--name", f"{self.name}-{of['name']}", "--hostname", self.name, "--network", NETWORK, "--read-only", "--cap-drop", "ALL",
                   "--security-opt", "no-new-privileges"]
        options += [option for added in own["capabilities"].get("add", []) for option in ("--cap-add", added)]
        user = own.get("runAsUser", pod.get("runAsUser"))
        if user is not None:
            options += ["--user", f"{user}:{own.get('runAsGroup', pod.get('runAsGroup', 0))}"]
        if "fsGroup" in pod:
            options += ["--group-add", str(pod["fsGroup"])]
        if self.alias:
            options += ["--network-alias", self.alias]
        for variable in of.get("env", []):
            fields = {"spec.nodeName": NODE, "metadata.name": self.name}
            value = variable.get("value") or fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
            options += ["--env", f"{variable['name']}={value}"]
        for mount in of["volumeMounts"]:
            options += ["--volume", f"{self.volumes[mount['name']]}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"]
        if "command" in of:
            options += ["--entrypoint", of["command"][0]]
        return of, engine.run(*options, of["image"], *of.get("command", [])[1:], *of.get("args", []))

    def is_ready(self):
        """Every probe of every container is answered."""
        for of, container in self.sidecars + self.containers:
            ports = {port["name"]: port["containerPort"] for port in of["ports"]}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe in of:
                    get = of[probe]["httpGet"]
                    url = f"{get.get('scheme', 'HTTP').lower()}://{self.address()}:{ports[get['port']]}{get['path']}"
                    host.until(f"{probe} of {of['name']}", lambda: self.runs(container) and host.command("curl", "-fsSk", url) is not None)

    def runs(self, container):
        state = self.cluster.engine.inspect(container, ".State.Status")
        if state != "running":
            raise RuntimeError(f"{self.name} is {state}: {self.cluster.engine('logs', container)}")
        return True

    def address(self):
        return self.cluster.engine.inspect(self.containers[0][1], f".NetworkSettings.Networks.{NETWORK}.IPAddress")

    def wait(self):
        """Until its own containers are over; well, as a Job has to be."""
        for _, container in self.containers:
            assert self.cluster.engine("wait", container).strip() == "0", self.cluster.engine("logs", container)

    def stop(self):
        """First its own containers, then its sidecars, in one grace period for all of it."""
        grace, started = self.spec.get("terminationGracePeriodSeconds", 30), time.monotonic()
        for of, container in self.containers + self.sidecars[::-1]:
            left = grace - int(time.monotonic() - started)
            assert left > 0, f"{self.name} did not end within {grace} s"
            self.cluster.engine("stop", "--time", left, container)
            code = self.cluster.engine.inspect(container, ".State.ExitCode")
            assert code == "0", f"{self.name}/{of['name']} ended with {code}: {self.cluster.engine('logs', container)}"
        print(f"    {self.name} stopped in {time.monotonic() - started:.0f} s")


class Mounted:
    """Files of a Secret or ConfigMap in a pod, as the kubelet mounts them: `..data` is a link to a folder, each file one through it."""

    def __init__(self, key, folder, mode, group):
        self.key, self.folder, self.group, self.writes = key, folder, group, 0
        # With a group, whoever is in it may read.
        self.mode = mode if group is None else mode | 0o440

    def write(self, files):
        self.writes += 1
        version = self.folder / f"..{self.writes}"
        version.mkdir(mode=0o755)
        for name, text in files.items():
            file = version / name
            file.write_text(text)
            file.chmod(self.mode)
            if self.group is not None:
                os.chown(file, -1, self.group)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        (self.folder / "..new").symlink_to(version.name)
        (self.folder / "..new").rename(self.folder / "..data")
        for old in self.folder.glob("..[0-9]*"):
            if old != version:
                shutil.rmtree(old)
