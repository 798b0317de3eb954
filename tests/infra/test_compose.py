"""infra/compose.yaml: valid, without default passwords, and closed to other machines."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

INFRA = Path(__file__).parents[2] / "infra"
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
SECRETS = {
    "POSTGRES_PASSWORD",
    "MLFLOW_DB_PASSWORD",
    "OPTUNA_DB_PASSWORD",
    "MLFLOW_ADMIN_PASSWORD",
    "MLFLOW_SESSION_KEY",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "RAY_AUTH_TOKEN",
}
TEXT = (INFRA / "compose.yaml").read_text("utf-8")
EXAMPLE = (INFRA / ".env.example").read_text("utf-8")


class MissingVariable(Exception):
    """Compose stops at a variable that has to be set."""


def interpolated(text: str, environment: dict[str, str]) -> str:
    """The file as compose reads it."""

    def value(match: re.Match[str]) -> str:
        name, rule, default = match.groups()
        if environment.get(name):
            return environment[name]
        if rule == "?":
            raise MissingVariable(name)
        return default or ""

    return VARIABLE.sub(value, text)


def environment() -> dict[str, str]:
    """The example with every secret filled in."""
    return {name: f"{name.lower().replace('_', '')}1" for name in SECRETS}


@pytest.fixture
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(interpolated(TEXT, environment()))
    return content


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_the_file_follows_the_specification(name: str) -> None:
    text = (INFRA / name).read_text("utf-8")
    content = yaml.safe_load(interpolated(text, environment()))
    assert len(parse(content)) == len(content["services"])


def test_an_unknown_key_does_not_follow_it(compose: dict[str, Any]) -> None:
    compose["services"]["s3"]["healthchek"] = compose["services"]["s3"].pop("healthcheck")
    with pytest.raises(ValueError, match="healthchek"):
        parse(compose)


def parse(content: dict[str, Any]) -> PyCompose:
    """The file by the specification, which has no anchors and merges: YAML resolves those."""
    return PyCompose.from_yaml(yaml.safe_dump(content))


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_no_secret_has_a_default(secret: str) -> None:
    with pytest.raises(MissingVariable, match=secret):
        interpolated(TEXT, environment() | {secret: ""})


def test_the_example_has_every_variable_and_no_secret() -> None:
    lines = dict(re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert lines.keys() == {match[0] for match in VARIABLE.findall(TEXT)}
    assert {name for name in SECRETS if lines[name]} == set()
    defaults = {name: value for name, rule, value in VARIABLE.findall(TEXT) if rule == "-"}
    assert {name: lines[name] for name in defaults} == defaults


def test_secrets_are_not_committed() -> None:
    assert ".env" in (INFRA.parent / ".gitignore").read_text("utf-8").splitlines()


def test_ports_are_published_on_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()}
    foreign = {image for image in images if not image.startswith("mixfront")}
    assert all(re.search(r":\d+\.\d+[\w.-]*$", image) for image in foreign), foreign
    assert not any("minio" in image for image in images)  # archived


def test_ray_asks_for_a_token(compose: dict[str, Any]) -> None:
    for name in ("ray-head", "ray-worker"):
        variables = compose["services"][name]["environment"]
        assert variables["RAY_AUTH_MODE"] == "token"
        assert variables["RAY_AUTH_TOKEN"] == environment()["RAY_AUTH_TOKEN"]


def test_workers_have_no_credentials_of_tracking(compose: dict[str, Any]) -> None:
    variables = compose["services"]["ray-worker"]["environment"]
    assert not {name for name in variables if name.startswith(("MLFLOW_", "OPTUNA_", "POSTGRES"))}


def test_every_long_running_service_but_workers_has_a_health_check(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    unchecked = {name for name, service in services.items() if "healthcheck" not in service}
    assert unchecked == {"bucket", "ray-worker"}  # bucket ends; Ray watches its workers itself


def test_what_a_service_waits_for_can_be_healthy(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        for name, needs in service.get("depends_on", {}).items():
            if needs["condition"] == "service_healthy":
                assert "healthcheck" in services[name]


def test_mounted_files_exist(compose: dict[str, Any]) -> None:
    mounts = [v for service in compose["services"].values() for v in service.get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert files
    assert all((INFRA / file).is_file() for file in files)


def test_each_database_has_a_role_of_its_own() -> None:
    script = (INFRA / "postgres" / "databases.sh").read_text("utf-8")
    created = re.findall(r"^create (\w+) (\w+)$", script, re.MULTILINE)
    assert created == [("mlflow", "MLFLOW_DB_PASSWORD"), ("optuna", "OPTUNA_DB_PASSWORD")]
