"""Scenario: every overlay against the published schemas, and what schemas do not say: least privilege, sidecars that end.

The schemas are those that the Python package kubernetes-validate brings along, made from each Kubernetes release's OpenAPI document;
`strict` refuses a field that a release does not know.
"""

import json
import subprocess

import host

REQUIREMENTS = ["kubernetes-validate", "pyyaml"]
# The first release in which native sidecars need no feature gate, and a current one.
RELEASES = ["1.29.0", "1.37.0"]

VALIDATE = """
import sys, yaml, json, kubernetes_validate
text, releases = sys.stdin.read(), sys.argv[1:]
resources = [resource for resource in yaml.safe_load_all(text) if resource]
for resource in resources:
    for release in releases:
        kubernetes_validate.validate(resource, release, strict=True)
print(json.dumps(resources))
"""


def run():
    for overlay in sorted((host.ROOT / "deploy/kubernetes/overlays").iterdir()):
        host.step(f"{overlay.name}, against Kubernetes {' and '.join(RELEASES)}")
        resources = rendered(overlay)
        restricted = {of(resource) for resource in resources if resource["kind"] == "Namespace"
                      and resource["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"}
        for resource in resources:
            look(resource, restricted)
        print(f"    {len(resources)} resources: {', '.join(sorted(resource['kind'] for resource in resources))}")


def rendered(overlay):
    """The resources of an overlay, each of which the schemas know."""
    if host.command("sh", "-c", "command -v kubectl", check=False).returncode != 0:
        raise host.Skipped("there is no kubectl, and no package of Debian that has one with components of kustomize")
    text = host.command("kubectl", "kustomize", overlay)
    python = host.python_with(*REQUIREMENTS)
    done = subprocess.run([python, "-c", VALIDATE, *RELEASES], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def look(resource, restricted):
    pod = resource.get("spec", {}).get("template", {}).get("spec")
    if pod is None:
        return
    name = of(resource)
    assert pod["automountServiceAccountToken"] is False, name
    namespace = resource["metadata"]["namespace"]
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in resource["spec"].get("volumeClaimTemplates", [])}
    sidecars = pod.get("initContainers", [])
    for container in pod["containers"] + sidecars:
        least_privilege(f"{name}/{container['name']}", pod.get("securityContext", {}), container["securityContext"], namespace in restricted)
        for mount in container["volumeMounts"]:
            assert mount["name"] in volumes, f"{name}/{container['name']} mounts {mount['name']}, which there is not"
        assert ":" in container["image"], f"{name}: the image {container['image']} has no tag"
    if resource["metadata"].get("labels", {}).get("clew/sidecar") == "true":
        [sidecar] = sidecars
        assert sidecar["restartPolicy"] == "Always", "a native sidecar: ended after the service, and no reason for a Job to go on"
        assert pod["terminationGracePeriodSeconds"] > 60, "more than drain_timeout"


def least_privilege(name, pod, container, is_restricted):
    """What the level `restricted` of the pod security standards asks for; elsewhere all of it but the user and one capability."""
    assert container["allowPrivilegeEscalation"] is False, name
    assert container["readOnlyRootFilesystem"] is True, name
    assert container["capabilities"]["drop"] == ["ALL"], name
    seccomp = container.get("seccompProfile") or pod.get("seccompProfile")
    assert seccomp == {"type": "RuntimeDefault"}, name
    added = container["capabilities"].get("add", [])
    if is_restricted:
        assert container.get("runAsNonRoot") or pod.get("runAsNonRoot"), name
        assert not added, name
    else:
        assert added == ["DAC_READ_SEARCH"], name


def of(resource):
    return resource["metadata"]["name"]
