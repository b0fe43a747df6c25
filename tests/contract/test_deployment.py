"""What compose and Kubernetes are told agrees with the code, with itself, and with the schemas of Kubernetes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import psycopg
import pytest
import yaml

from marketplace.databases import excess_rights
from marketplace.registry import SERVICES, gateway_settings, service_settings
from tests.support.postgres import OwnPostgres

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
FOLDERS = [KUBERNETES / "base", KUBERNETES / "overlays/production"]
PROCESSES = ("gateway", *SERVICES)

VERSIONS = ("1.30", kubernetes_validate.latest_version())
"""The oldest that knows all the manifests use (`preStop.sleep`), and the newest there is a schema of."""
OF_OPERATORS = {("postgresql.cnpg.io/v1", "Cluster"), ("rabbitmq.com/v1beta1", "RabbitmqCluster")}
NO_SETTINGS = {"TMPDIR"}
"""Python's own."""

Resource = dict[str, Any]


def resources(folder: Path) -> Iterator[Resource]:
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


BASE = list(resources(KUBERNETES / "base"))
PRODUCTION = list(resources(KUBERNETES / "overlays/production"))
OVERLAY = yaml.safe_load((KUBERNETES / "overlays/production/kustomization.yaml").read_text())
WORKLOADS = [resource for resource in BASE if resource["kind"] in ("Deployment", "Job")]


def named(kind: str, name: str) -> Resource:
    (found,) = [one for one in BASE if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def label(resource: Resource) -> str:
    return f"{resource['kind']}-{resource['metadata']['name']}"


def pod(workload: Resource) -> Resource:
    spec: Resource = workload["spec"]["template"]["spec"]
    return spec


def container(workload: Resource) -> Resource:
    (only,) = pod(workload)["containers"]
    found: Resource = only
    return found


def containers(workload: Resource) -> list[Resource]:
    """With those that come first."""
    return [*pod(workload).get("initContainers", []), container(workload)]


def labels(workload: Resource) -> dict[str, str]:
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def ports(process: str) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container(named("Deployment", process))["ports"]}


def everywhere(tree: object, key: str) -> Iterator[Any]:
    """The value of each `key`, however deep."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from everywhere(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from everywhere(value, key)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resource]:
    """By name, what the README's commands make on a machine that has none yet."""
    deploy = tmp_path_factory.mktemp("deploy")
    (deploy / "kubernetes").mkdir()
    for script in ("make-env", "kubernetes/secrets"):
        shutil.copy(DEPLOY / script, deploy / script)
    subprocess.run([sys.executable, deploy / "make-env"], check=True, capture_output=True)
    printed = subprocess.run([sys.executable, deploy / "kubernetes/secrets"], check=True, capture_output=True).stdout
    return {secret["metadata"]["name"]: secret for secret in json.loads(printed)["items"]}


# --- schemas and folders ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_resource(version: str, secrets: dict[str, Resource]) -> None:
    unknown = set()
    for resource in [*BASE, *PRODUCTION, *secrets.values()]:
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            unknown.add((resource["apiVersion"], resource["kind"]))

    assert unknown == OF_OPERATORS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_of_a_folder_is_listed_and_every_listed_one_is_there(folder: Path) -> None:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    patches = [patch["path"] for patch in kustomization.get("patches", []) if "path" in patch]
    listed = [name for name in [*kustomization["resources"], *patches] if name.endswith(".yaml")]

    assert sorted(listed) == sorted(path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml")


def test_no_two_resources_are_the_same_one() -> None:
    names = [label(resource) for resource in BASE]

    assert len({*names}) == len(names)


def test_the_release_is_the_same_for_images_and_jobs() -> None:
    images = {image["name"]: image["newTag"] for image in OVERLAY["images"]}
    (release,) = {*images.values()}
    jobs = [yaml.safe_load(patch["patch"])[0]["value"] for patch in OVERLAY["patches"] if "target" in patch]
    targets = [patch["target"]["name"] for patch in OVERLAY["patches"] if "target" in patch]

    assert {*images} == {container(workload)["image"] for workload in WORKLOADS}
    assert targets == [workload["metadata"]["name"] for service in SERVICES for workload in [migration(service)]]
    assert jobs == [f"{name}-{release}" for name in targets]


# --- what each process has --------------------------------------------------------------------------------------------
def migration(service: str) -> Resource:
    return named("Job", f"migrate-{service}")


def test_the_processes_and_their_migrations_are_all_that_runs() -> None:
    assert {label(one) for one in WORKLOADS} == {
        *(f"Deployment-{process}" for process in PROCESSES),
        *(f"Job-migrate-{service}" for service in SERVICES),
    }


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_is_found_kept_and_scaled(process: str) -> None:
    deployment, service = named("Deployment", process), named("Service", process)
    scaler, budget = named("HorizontalPodAutoscaler", process)["spec"], named("PodDisruptionBudget", process)["spec"]
    spec = deployment["spec"]
    selectors = [spec["selector"]["matchLabels"], service["spec"]["selector"], budget["selector"]["matchLabels"]]
    selectors += [spread["labelSelector"]["matchLabels"] for spread in pod(deployment)["topologySpreadConstraints"]]

    for selector in selectors:
        assert selector.items() <= labels(deployment).items()
        assert [one for one in WORKLOADS if selector.items() <= labels(one).items()] == [deployment]
    assert container(deployment)["args"] == ["serve", process]
    assert container(deployment)["image"] == f"marketplace-{process}"
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": process}
    assert "replicas" not in spec, "the autoscaler would be overruled at each apply"
    assert 1 < scaler["minReplicas"] <= scaler["maxReplicas"]
    assert budget["maxUnavailable"] == 1


@pytest.mark.parametrize("process", PROCESSES)
def test_ports_match(process: str) -> None:
    deployment = named("Deployment", process)
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    operations = gateway_settings(env="development").operations_port  # type: ignore[attr-defined]
    expected = {"http": 8000, "operations": operations} if process == "gateway" else {"http": 8000}
    (port,) = named("Service", process)["spec"]["ports"]
    probes = [container(deployment)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]

    assert ports(process) == expected
    assert (port["port"], port["targetPort"]) == (8000, "http")
    assert {probe["port"] for probe in probes} == {[*expected][-1]}
    assert [probe["path"] for probe in probes] == ["/health/live", "/health/live", "/health/ready"]
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": str([*expected.values()][-1])}


def test_gateways_are_as_many_as_each_believes() -> None:
    scaler = named("HorizontalPodAutoscaler", "gateway")["spec"]
    (settings,) = [one["data"] for one in PRODUCTION if one["kind"] == "ConfigMap"]

    assert str(scaler["minReplicas"]) == str(scaler["maxReplicas"]) == settings["GATEWAY_INSTANCES"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_migration_sees_what_its_service_sees(service: str) -> None:
    job, deployment = migration(service), named("Deployment", service)

    def environment(workload: Resource) -> set[str]:
        return {one["name"] for one in container(workload)["env"]} - NO_SETTINGS

    assert container(job)["args"] == ["migrate", service]
    assert container(job)["image"] == container(deployment)["image"]
    assert environment(job) == environment(deployment)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_for_the_database_server_that_its_url_names(service: str, secrets: dict[str, Resource]) -> None:
    (first,) = pod(named("Deployment", service))["initContainers"]
    address = urlsplit(secrets["marketplace"]["stringData"][f"{service}_database_url"])

    assert f"({address.hostname!r}, {address.port or 5432})" in first["command"][-1]


# --- what a process may -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("workload", WORKLOADS, ids=label)
def test_a_container_may_nothing_that_it_does_not_need(workload: Resource) -> None:
    whole = pod(workload)["securityContext"]

    for one in containers(workload):
        assert one["image"] == container(workload)["image"]
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert whole["runAsNonRoot"]
    assert whole["runAsUser"] == 10001, "the user of the image"
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(workload)["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & {*pod(workload)}


@pytest.mark.parametrize("workload", WORKLOADS, ids=label)
def test_a_container_has_its_share_and_its_end(workload: Resource) -> None:
    for one in containers(workload):
        assert {*one["resources"]["requests"]} == {"cpu", "memory"}
        assert "memory" in one["resources"]["limits"]
    if workload["kind"] == "Deployment":
        assert pod(workload)["terminationGracePeriodSeconds"] >= 30
        assert container(workload)["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5
    else:
        assert pod(workload)["restartPolicy"] == "OnFailure"


@pytest.mark.parametrize("workload", WORKLOADS, ids=label)
def test_every_mount_is_a_volume_and_every_volume_is_mounted(workload: Resource) -> None:
    mounts = {mount["name"] for mount in container(workload)["volumeMounts"]}

    assert mounts == {volume["name"] for volume in pod(workload)["volumes"]}


def test_uploads_wait_on_a_disk_that_holds_many() -> None:
    catalog = named("Deployment", "catalog")
    (folder,) = [one["value"] for one in container(catalog)["env"] if one["name"] == "TMPDIR"]
    (mount,) = [mount for mount in container(catalog)["volumeMounts"] if mount["mountPath"] == folder]
    (volume,) = [volume for volume in pod(catalog)["volumes"] if volume["name"] == mount["name"]]

    assert volume["emptyDir"] == {"sizeLimit": "1Gi"}, "no medium: Memory, which would count against the limit"


# --- network ----------------------------------------------------------------------------------------------------------
def test_policies_speak_of_what_there_is() -> None:
    policies = [resource for resource in BASE if resource["kind"] == "NetworkPolicy"]
    operators = {"cnpg.io/cluster": {"postgres"}, "app.kubernetes.io/name": {"rabbitmq"}}
    known: dict[str, set[str]] = {key: {*values} for key, values in operators.items()}
    for workload in WORKLOADS:
        for key, value in labels(workload).items():
            known.setdefault(key, set()).add(value)

    for selector in everywhere(policies, "podSelector"):
        wanted = {key: {value} for key, value in selector.get("matchLabels", {}).items()}
        wanted |= {one["key"]: {*one["values"]} for one in selector.get("matchExpressions", [])}
        assert wanted, "would be every pod"
        for key, values in wanted.items():
            assert values <= known.get(key, set()), f"{key} of {values - known.get(key, set())}"
    assert named("Cluster", "postgres")
    assert named("RabbitmqCluster", "rabbitmq")

    namespaces = {
        one["matchLabels"]["kubernetes.io/metadata.name"] for one in everywhere(policies, "namespaceSelector")
    }
    assert namespaces == {"kube-system", "cnpg-system", "rabbitmq-system", "monitoring"}


def test_only_what_has_metrics_is_open_to_prometheus() -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    opened = {
        policy["metadata"]["name"]: [port["port"] for port in rule["ports"]]
        for policy in BASE
        if policy["kind"] == "NetworkPolicy"
        for rule in policy["spec"].get("ingress", [])
        if monitoring in rule.get("from", [])
    }

    assert opened == {"gateway": ["operations"], "services": ["http"]}


# --- settings and secrets ---------------------------------------------------------------------------------------------
def known_settings(process: str) -> set[str]:
    settings = (
        gateway_settings(env="development") if process == "gateway" else service_settings(process, env="development")
    )
    return {name.upper() for name in type(settings).model_fields}


def unknown_settings(process: str, names: set[str]) -> set[str]:
    known = known_settings(process)
    return {name for name in names - NO_SETTINGS if name not in known and name.removesuffix("_FILE") not in known}


@pytest.mark.parametrize("process", PROCESSES)
def test_what_compose_sets_is_a_setting(process: str) -> None:
    services = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())["services"]
    started = [name for name in (process, f"migrate-{process}") if name in services]

    assert len(started) == (1 if process == "gateway" else 2)
    for name in started:
        # Some that one process alone reads are given to all, and some are read by OpenTelemetry itself.
        others = {"PAYME_ALLOWED_IPS", "CLICK_ALLOWED_IPS", "OTEL_EXPORTER_OTLP_HEADERS"}
        others |= {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
        assert unknown_settings(process, {*services[name]["environment"]}) <= others


@pytest.mark.parametrize("workload", WORKLOADS, ids=label)
def test_what_kubernetes_sets_is_a_setting(workload: Resource) -> None:
    process = container(workload)["args"][1]

    assert container(workload)["envFrom"] == [{"configMapRef": {"name": "marketplace"}}]
    assert unknown_settings(process, {one["name"] for one in container(workload).get("env", [])}) == set()


def test_what_all_are_told_is_a_setting_of_some() -> None:
    known = set().union(*map(known_settings, PROCESSES))
    told = [resource["data"] for resource in [*BASE, *PRODUCTION] if resource["kind"] == "ConfigMap"]

    assert len(told) == 2
    assert set().union(*told) - known == set()
    urls = {name: value for name, value in told[0].items() if name.endswith("_URL")}
    assert urls == {f"{service.upper()}_URL": f"http://{service}:8000" for service in SERVICES}


@pytest.mark.parametrize("workload", WORKLOADS, ids=label)
def test_each_secret_is_one_that_the_command_makes(workload: Resource, secrets: dict[str, Resource]) -> None:
    files = {one["name"]: one["value"] for one in container(workload).get("env", []) if one["name"].endswith("_FILE")}
    sources = [source for projected in everywhere(pod(workload), "sources") for source in projected]
    mounted = set()
    for source in sources:
        assert source["secret"]["name"] == "marketplace"
        for item in source["secret"]["items"]:
            assert item["key"] in secrets["marketplace"]["stringData"]
            mounted.add(f"/run/secrets/{item['path']}")

    assert {*files.values()} == mounted
    assert bool(files) == ("gateway" not in container(workload)["args"])


def test_servers_have_the_logins_that_services_come_with(secrets: dict[str, Resource]) -> None:
    values = secrets["marketplace"]["stringData"]
    postgres, rabbitmq = named("Cluster", "postgres")["spec"], named("RabbitmqCluster", "rabbitmq")["spec"]
    (service,) = postgres["managed"]["services"]["additional"]

    for role in postgres["managed"]["roles"]:
        name, secret = role["name"], secrets[role["passwordSecret"]["name"]]
        login = secret["stringData"]
        host = service["serviceTemplate"]["metadata"]["name"]
        assert secret["type"] == "kubernetes.io/basic-auth"
        assert login["username"] == name
        assert values[f"{name}_database_url"] == f"postgresql://{name}:{login['password']}@{host}/{name}"
    assert [role["name"] for role in postgres["managed"]["roles"]] == [*SERVICES]

    broker = secrets[rabbitmq["secretBackend"]["externalSecret"]["name"]]["stringData"]
    user, password = broker["username"], broker["password"]
    assert values["rabbitmq_url"] == f"amqp://{user}:{password}@rabbitmq:5672/"
    assert broker["default_user.conf"] == f"default_user = {user}\ndefault_pass = {password}\n"


def test_no_user_may_open_a_database_of_another() -> None:
    setup = named("Cluster", "postgres")["spec"]["bootstrap"]["initdb"]
    server = OwnPostgres()
    server.start()
    try:
        with psycopg.connect(server.url, autocommit=True) as operator:
            for statement in setup["postInitSQL"]:
                operator.execute(statement)
            operator.execute("CREATE DATABASE app")
            for statement in setup["postInitApplicationSQL"]:
                operator.execute(statement)
            for service in SERVICES:  # as `managed.roles` then does
                operator.execute(f"ALTER ROLE {service} LOGIN PASSWORD 'a password'")
        for service in SERVICES:
            assert excess_rights(as_user(server.url, service)) == []
    finally:
        server.stop()


def as_user(url: str, service: str) -> str:
    address = url.split("@")[1].split("/")[0]
    return f"postgresql://{service}:a%20password@{address}/{service}"
