"""The Helm chart, rendered by Helm and checked against the schemas of the Kubernetes API."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.kit.compose import ROOT
from tests.kit.world import MASTER_KEY

from aero2.compose_env import fresh_secrets
from aero2.nats_access import SERVICES
from aero2.reference.environment import settings_of
from common.cluster_settings import read_clusters
from common.environment_settings import read_settings
from common.shared_settings import misplaced
from common.version import VERSION

CHART = ROOT / "deploy/helm/aero2"
PYTHON = ROOT / ".venv/helm/bin/python"
SETS = tuple(path.stem for path in sorted((ROOT / "tests/helm/values").glob("*.yaml")))
LEAST = yaml.safe_load((ROOT / "tests/helm/values/least.yaml").read_text())
OWN_OF_CHART = {
    "AERO2_LAME_DUCK",
    "AERO2_STREAM_REPLICAS",
    "AERO2_METRICS_HOST",
    "AERO2_METRICS_PORT",
}
"""Variables of each pod that Compose leaves to the default, or gives as well."""

MOUNT = "/etc/aero2/secrets/"

pytestmark = [
    pytest.mark.helm,
    pytest.mark.skipif(not PYTHON.exists(), reason="`make test` installs Helm in .venv/helm"),
]

Document = dict[str, Any]


def run(*values: Document) -> list[Document]:
    """Returns a release for each of the values."""
    program = ROOT / "tests/kit/helm_chart_program.py"
    done = subprocess.run(
        [PYTHON, program, CHART], input=json.dumps(values), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answers: list[Document] = json.loads(done.stdout)
    return answers


@cache
def releases() -> list[Document]:
    """Returns a release for each set of values."""
    texts = [(ROOT / f"tests/helm/values/{name}.yaml").read_text() for name in SETS]
    return run(*(yaml.safe_load(text) for text in texts))


def release(name: str) -> Document:
    """Returns the release of one set of values."""
    return releases()[SETS.index(name)]


def of_kind(documents: list[Document], kind: str) -> dict[str, Document]:
    """Returns the documents of a kind, by the end of their name."""
    chosen = [document for document in documents if document["kind"] == kind]
    return {item["metadata"]["name"].removeprefix("login-aero2-"): item for item in chosen}


def pods(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """Yields kind and name, and the template of its pods."""
    for document in documents:
        spec = document.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            yield f"{document['kind']} {document['metadata']['name']}", template


def environment(template: Document) -> dict[str, Any]:
    """Returns the variables of a pod: their value, or the key of the Secret that they come from."""
    [container] = template["spec"]["containers"]
    listed = [(item["name"], item.get("value", item.get("valueFrom"))) for item in container["env"]]
    assert len(dict(listed)) == len(listed)
    return dict(listed)


def keys_of_secret(template: Document) -> set[str]:
    """Returns the keys of the Secret that a pod has, as files."""
    [volume] = [each for each in template["spec"]["volumes"] if each["name"] == "secrets"]
    assert volume["secret"]["secretName"] in ("aero2", "credentials")
    assert all(item["key"] == item["path"] for item in volume["secret"]["items"])
    return {item["key"] for item in volume["secret"]["items"]}


def files_of_secret(template: Document) -> dict[str, str]:
    """Returns the key of each variable that names a file."""
    files = {
        name.removesuffix("_FILE"): value
        for name, value in environment(template).items()
        if name.endswith("_FILE") and str(value).startswith(MOUNT)
    }
    return {name: value.removeprefix(MOUNT) for name, value in files.items()}


def test_the_chart_has_the_version_of_the_product() -> None:
    """Chart and image go together, so that an upgrade of the chart is one of the product."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


@pytest.mark.parametrize("name", SETS)
def test_kubernetes_takes_what_the_chart_renders(name: str) -> None:
    """The oldest version of Kubernetes that the chart names, and the newest known one."""
    answer = release(name)

    assert answer["error"] is None
    assert answer["complaints"] == []
    assert len(answer["documents"]) >= 7


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"database": {"hosts": "a", "clusters": {"main": {"hosts": "b"}}}}, "main"),
        ({"database": {"hosts": "a", "clusters": {"west": {"hosts": "u:p@b"}}}}, "west/hosts"),
        ({"publicUrl": ""}, "/publicUrl"),
        ({"publicUrl": "https://id.example.com/path"}, "/publicUrl"),
        ({"secret": ""}, "/secret"),
        ({"database": {"hosts": "user:password@postgres"}}, "/database/hosts"),
        ({"nats": {"url": "nats"}}, "/nats/url"),
        ({"gatewey": {"replicas": 3}}, "gatewey"),
        ({"gateway": {"replica": 3}}, "replica"),
        ({"environment": {"AERO2_MAX_BODY": 1048576}}, "/environment/AERO2_MAX_BODY"),
        ({"environment": {"MAX_BODY": "1048576"}}, "MAX_BODY"),
        ({"identity": {"terminationGracePeriodSeconds": 10}}, "terminationGracePeriodSeconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_value_is_named(wrong: Document, named: str) -> None:
    """Helm refuses it before it asks the cluster for anything."""
    [answer] = run(LEAST | wrong)

    assert answer["error"] is not None
    assert named in answer["error"]
    assert answer["documents"] == []


def compose_environment(service: str) -> set[str]:
    """Returns the variables of a service in docker-compose.yml. A secret's name stands for its file."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    own: dict[str, str] = compose["services"][service]["environment"]
    return {name.removesuffix("_FILE") for name in own}


@pytest.mark.parametrize("service", ["gateway", "identity", "oidc", "rbac", "tenancy"])
def test_a_pod_has_the_variables_of_the_container(service: str) -> None:
    """What a service needs stands in docker-compose.yml, too, so neither file can forget one. Settings
    with a default are left to `environment`."""
    template = of_kind(release("least")["documents"], "Deployment")[service]["spec"]["template"]
    own = {name.removesuffix("_FILE") for name in environment(template)}
    container = compose_environment(service)
    needed = {name for name in container if name.endswith(("_URL", "_USER", "_PASSWORD", "_KEY"))}

    assert own - OWN_OF_CHART <= container
    assert needed - {"AERO2_SMTP_URL"} <= own


@pytest.mark.parametrize("name", ["least", "together"])
def test_a_pod_gets_its_own_secrets_only(name: str) -> None:
    """Every key exists in what `aero2 compose-env` writes. A gateway has no password of the database, and
    a service has none of another service."""
    documents = release(name)["documents"]
    made = set(fresh_secrets())
    used = {pod: keys_of_secret(template) for pod, template in pods(documents)}

    assert set().union(*used.values()) - {"AERO2_OWNER_DATABASE_URL"} <= made
    for pod, keys in used.items():
        owner = pod == "Job login-aero2-migrate"
        assert ("AERO2_OWNER_DATABASE_URL" in keys) is owner
        assert ("AERO2_MASTER_KEY" in keys) is not owner
    if name == "least":
        services = {"identity", "oidc", "rbac", "tenancy", "gateway"}
        for service in services:
            keys = used[f"Deployment login-aero2-{service}"]
            foreign = {f"AERO2_{other.upper()}_PASSWORD" for other in services - {service}}
            foreign |= {f"NATS_{other.upper()}_PASSWORD" for other in services - {service}}
            assert not keys & foreign
        assert used["Deployment login-aero2-gateway"] == {
            "AERO2_MASTER_KEY",
            "NATS_GATEWAY_PASSWORD",
        }


def test_the_callout_has_its_own_secrets_only() -> None:
    """Neither the master key nor a password of the database: only the keys for the customer's servers, and
    its user on our bus."""
    documents = release("callout")["documents"]
    template = of_kind(documents, "Deployment")["callout"]["spec"]["template"]
    keys = ("CALLOUT_PASSWORD", "CALLOUT_ISSUER_SEED", "CALLOUT_XKEY_SEED")

    assert keys_of_secret(template) == {"NATS_CALLOUT_PASSWORD", *(f"AERO2_{k}" for k in keys)}
    for pod, other in pods(documents):
        assert "AERO2_CALLOUT_ISSUER_SEED" not in keys_of_secret(other) or "callout" in pod


def test_services_of_one_pod_have_variables_of_their_own() -> None:
    """`aero2 serve` refuses a common DSN or NATS user."""
    documents = release("together")["documents"]
    own = environment(of_kind(documents, "Deployment")["together"]["spec"]["template"])

    assert compose_environment("together") >= {name for name in own if "NATS_USER" in name}
    assert list(misplaced(SERVICES, own)) == []
    assert own["AERO2_OIDC_DATABASE_URL"].startswith("postgresql://aero2_oidc@")
    assert own["AERO2_OIDC_DATABASE_PASSWORD_FILE"] == f"{MOUNT}AERO2_OIDC_PASSWORD"
    assert own["AERO2_RELAY_DATABASE_PASSWORD_FILE"] == f"{MOUNT}AERO2_RELAY_PASSWORD"


@pytest.mark.parametrize("name", SETS)
def test_secrets_are_files(name: str) -> None:
    """Each is a key of the Secret that the pod mounts as a folder, so that a password can change without a
    restart. No variable has one, but those that the operator asks for, and each mounted key is named."""
    for pod, template in pods(release(name)["documents"]):
        files = files_of_secret(template)
        assert set(files.values()) == keys_of_secret(template), pod
        values = environment(template)
        assert not {key for key in values if key.endswith(("_PASSWORD", "_KEY"))}, pod
        references = {key for key, value in values.items() if isinstance(value, dict)}
        assert references <= {"AERO2_OPERATOR_MFA"}, pod
        assert not any("$(" in str(value) for value in values.values()), pod
        [mount] = [
            each
            for each in template["spec"]["containers"][0]["volumeMounts"]
            if each["name"] == "secrets"
        ]
        assert mount == {"name": "secrets", "mountPath": MOUNT.rstrip("/"), "readOnly": True}


def test_services_read_the_secrets_of_a_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings of each service, read from the environment of its pod, have the DSNs of all clusters with
    the password of their role, which changes with the file."""
    documents = release("clusters")["documents"]
    for name in SERVICES:
        template = of_kind(documents, "Deployment")[name]["spec"]["template"]
        for key in keys_of_secret(template):
            value = "smtp://mail" if key == "AERO2_SMTP_URL" else f"of-{key}"
            (tmp_path / key).write_text(MASTER_KEY if key == "AERO2_MASTER_KEY" else value)
        with monkeypatch.context() as patched:
            for variable in [each for each in os.environ if each.startswith("AERO2_")]:
                patched.delenv(variable)
            for variable, value in environment(template).items():
                patched.setenv(variable, value.replace(MOUNT, f"{tmp_path}/"))
            settings = read_settings(settings_of(name), name)
            assert settings.nats_password.get_secret_value() == f"of-NATS_{name.upper()}_PASSWORD"
            if name == "gateway":
                continue
            clusters = read_clusters(settings, name, os.environ)
            assert list(clusters) == ["main", "far_east", "west"]
            [login] = clusters["west"]["relay_database_url"].logins()  # type: ignore[attr-defined]
            assert login == (
                "postgresql://aero2_relay:of-AERO2_RELAY_PASSWORD@west-0.west:5432,west-1.west:5432/aero2"
                "?sslmode=require"
            )
            (tmp_path / "AERO2_RELAY_PASSWORD").write_text("new\nold\n")
            logins = clusters["far_east"]["relay_database_url"].logins()  # type: ignore[attr-defined]
            assert logins == [
                f"postgresql://aero2_relay:{each}@east:5432/other" for each in ("new", "old")
            ]


def test_migrations_reach_all_clusters() -> None:
    """The owner's DSN of each is a key of the Secret, and policies open the way to each."""
    documents = release("clusters")["documents"]
    job = of_kind(documents, "Job")["migrate"]["spec"]["template"]
    policy = of_kind(documents, "NetworkPolicy")["database"]

    assert {
        "AERO2_OWNER_DATABASE_URL",
        "AERO2_OWNER_DATABASE_URL_WEST",
        "AERO2_OWNER_DATABASE_URL_FAR_EAST",
    } <= set(files_of_secret(job))
    assert ports([policy], "egress") == {("TCP", 5432), ("TCP", 6432)}


@pytest.mark.parametrize("name", SETS)
def test_every_pod_is_hardened(name: str) -> None:
    """No root, no capability, a root file system that is read only, memory that has a bound, and a folder
    for temporary files that ends with the pod. Secrets are never mounted as a subPath: such a mount
    does not follow a change."""
    for pod, template in pods(release(name)["documents"]):
        spec = template["spec"]
        [container] = spec["containers"]
        security = container["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"] is True, pod
        assert spec["automountServiceAccountToken"] is False, pod
        assert security["readOnlyRootFilesystem"] is True, pod
        assert security["allowPrivilegeEscalation"] is False, pod
        assert security["capabilities"] == {"drop": ["ALL"]}, pod
        assert "memory" in container["resources"]["limits"], pod
        assert any("emptyDir" in volume for volume in spec["volumes"]), pod
        assert not any("subPath" in mount for mount in container["volumeMounts"]), pod


@pytest.mark.parametrize("name", SETS)
def test_a_node_drains(name: str) -> None:
    """One pod may go at a time, also the only one. Where the number follows the load, no other number
    stands beside it. A new pod is ready before an old one goes."""
    documents = release(name)["documents"]
    deployments = of_kind(documents, "Deployment")
    scaled = of_kind(documents, "HorizontalPodAutoscaler")
    budgets = of_kind(documents, "PodDisruptionBudget")

    assert set(budgets) in (set(deployments), set())
    assert bool(budgets) is (name != "open")
    for budget in budgets.values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert "minAvailable" not in budget["spec"]
    for component, deployment in deployments.items():
        assert ("replicas" in deployment["spec"]) is (component not in scaled)
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {
            "maxUnavailable": 0,
            "maxSurge": 1,
        }
    for scaler in scaled.values():
        resources = [
            item["resource"]["name"] for item in scaler["spec"]["metrics"] if "resource" in item
        ]
        assert resources == ["cpu"]


def probe_of(probe: Document) -> str:
    """Returns the path or the module that a probe asks."""
    if "httpGet" in probe:
        return str(probe["httpGet"]["path"])
    assert probe["exec"]["command"][:3] == ["python", "-S", "-m"]
    return " ".join(probe["exec"]["command"][3:])


@pytest.mark.parametrize("name", SETS)
def test_a_slow_start_and_a_slow_end_are_waited_for(name: str) -> None:
    """Ten minutes for the start. The time to end has 30 seconds beside the lame duck phase of gateways
    (docs/operating.md). Liveness asks whether the process works, readiness whether it should get work. A
    migration has no deadline."""
    documents = release(name)["documents"]
    for deployment in of_kind(documents, "Deployment").values():
        spec = deployment["spec"]["template"]["spec"]
        [container] = spec["containers"]
        startup = container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 600
        lame_duck = environment(deployment["spec"]["template"]).get("AERO2_LAME_DUCK")
        assert spec["terminationGracePeriodSeconds"] >= int(lame_duck or "0") + 30
        assert (lame_duck is not None) is (container["ports"][0]["name"] == "http")
        asked = {
            kind: probe_of(container[f"{kind}Probe"])
            for kind in ("liveness", "readiness", "startup")
        }
        assert asked["liveness"] in ("/health/live", "common.health live")
        assert asked["readiness"] in ("/health/ready", "common.health")
        assert asked["startup"] == asked["readiness"]
    for job in of_kind(documents, "Job").values():
        assert "activeDeadlineSeconds" not in job["spec"]


def test_migrations_run_before_the_services() -> None:
    """The migration adds before the new version starts; what takes away runs after it, if wanted."""
    plain = of_kind(release("least")["documents"], "Job")
    both = of_kind(release("production")["documents"], "Job")
    hooks = {name: job["metadata"]["annotations"]["helm.sh/hook"] for name, job in both.items()}

    assert set(plain) == {"migrate"}
    assert hooks == {"migrate": "pre-install,pre-upgrade", "migrate-contract": "post-upgrade"}
    command = both["migrate-contract"]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command == ["aero2", "migrate", "--contract"]
    assert of_kind(release("open")["documents"], "Job") == {}


def selects(policy: Document, labels: dict[str, str]) -> bool:
    """Returns whether a policy is for pods with these labels."""
    selector = policy["spec"]["podSelector"]
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", []):
        inside = labels.get(rule["key"]) in rule["values"]
        if inside is (rule["operator"] == "NotIn"):
            return False
    return True


Port = tuple[str, int | str]


def ports(policies: list[Document], direction: str) -> set[Port]:
    """Returns the ports that any of the policies opens."""
    rules = [rule for policy in policies for rule in policy["spec"].get(direction, [])]
    return {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize("name", [name for name in SETS if name != "open"])
def test_pods_reach_what_they_need_and_nothing_else(name: str) -> None:
    """All is closed but names (UDP and TCP), the bus, the database of those that have one, and the
    internet for those that call it."""
    documents = release(name)["documents"]
    policies = list(of_kind(documents, "NetworkPolicy").values())
    names: set[Port] = {("UDP", 53), ("TCP", 53)}
    internet: set[Port] = {("TCP", port) for port in (443, 465, 587, 25)} | {("TCP", "http")}
    for pod, template in pods(documents):
        labels = template["metadata"]["labels"]
        component = labels["app.kubernetes.io/component"]
        own = [policy for policy in policies if selects(policy, labels)]
        assert any(policy["spec"]["policyTypes"] == ["Ingress", "Egress"] for policy in own), pod
        wanted = set(names)
        if component != "migrate":
            wanted |= {("TCP", 4222)}
        if component == "callout":
            wanted |= {("TCP", 4333)}
        if component not in ("gateway", "dashboard-gateway", "owner-link", "callout"):
            wanted |= {("TCP", 5432)} | ({("TCP", 6432)} if name == "clusters" else set())
        if component in ("identity", "oidc", "tenancy", "together"):
            wanted |= internet
        assert ports(own, "egress") == wanted, pod
        serves = component in ("gateway", "dashboard-gateway", "together")
        assert (("TCP", "http") in ports(own, "ingress")) is serves, pod


def test_calls_to_own_applications_pass_the_policy() -> None:
    """Identity calls applications of this deployment at the gateway's service, whose policy otherwise
    lets in the ingress controller alone."""
    documents = release("production")["documents"]
    gateway = of_kind(documents, "NetworkPolicy")["gateway"]
    [rule] = gateway["spec"]["ingress"]
    own = {"app.kubernetes.io/name": "aero2", "app.kubernetes.io/instance": "login"}

    assert {"podSelector": {"matchLabels": own}} in rule["from"]
    identity = environment(of_kind(documents, "Deployment")["identity"]["spec"]["template"])
    host, _, port = identity["AERO2_GATEWAY_ADDRESS"].partition(":")
    service = of_kind(documents, "Service")["gateway"]
    assert host == service["metadata"]["name"]
    assert int(port) == service["spec"]["ports"][0]["port"]


@pytest.mark.parametrize("name", SETS)
def test_a_service_leads_to_pods(name: str) -> None:
    """Each selector of a Service matches one Deployment, and its port exists there."""
    documents = release(name)["documents"]
    templates = [item["spec"]["template"] for item in of_kind(documents, "Deployment").values()]
    for service in of_kind(documents, "Service").values():
        wanted = service["spec"]["selector"].items()
        [template] = [one for one in templates if wanted <= one["metadata"]["labels"].items()]
        offered = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= offered


def test_the_ingress_covers_the_host_and_all_below_it() -> None:
    """Applications answer on `<slug>.<host>`; the Dashboard may have gateways of its own."""
    ingress = of_kind(release("dashboard")["documents"], "Ingress")["login-aero2"]
    backends = {
        rule["host"]: rule["http"]["paths"][0]["backend"]["service"]["name"]
        for rule in ingress["spec"]["rules"]
    }

    assert backends == {
        "dashboard.id.example.com": "login-aero2-dashboard-gateway",
        "id.example.com": "login-aero2-gateway",
        "*.id.example.com": "login-aero2-gateway",
    }
    assert ingress["spec"]["tls"][0]["hosts"] == ["id.example.com", "*.id.example.com"]


def test_the_notes_name_what_exists() -> None:
    """What Helm prints after an installation leads to the operator's link."""
    answer = release("least")
    [job] = of_kind(answer["documents"], "CronJob").values()

    assert f"--from=cronjob/{job['metadata']['name']} owner-link" in answer["notes"]
    assert job["spec"]["suspend"] is True


def test_the_chart_has_no_secret() -> None:
    """Neither a value nor a document holds one: they stay in the Secret that the operator made."""
    kinds = {item["kind"] for name in SETS for item in release(name)["documents"]}

    assert not kinds & {"Secret", "ConfigMap"}
    assert Path(CHART / "values.yaml").read_text().count("password") == 0


def test_the_values_of_the_guide_work() -> None:
    """The chart takes the example of docs/kubernetes.md, and its commands name what the chart makes."""
    guide = (ROOT / "docs/kubernetes.md").read_text()
    block = guide.split("```yaml\n")[1].split("```")[0]
    [answer] = run(yaml.safe_load(textwrap.dedent(block)))
    [job] = of_kind(answer["documents"], "CronJob").values()

    assert answer["error"] is None
    assert answer["complaints"] == []
    assert f"job --from=cronjob/{job['metadata']['name']} owner-link" in guide
