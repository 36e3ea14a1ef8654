"""The container files say what the server understands; there is no container engine here, so they are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"server", "worker", "worker-gpu"}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
TURN = (ROOT / "deploy" / "turnserver.conf").read_text("utf-8")
CADDY = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")


def known_variables() -> set[str]:
    prefix = str(Settings.model_config.get("env_prefix", ""))
    return {f"{prefix}{name}".upper() for name in Settings.model_fields}


def example_values() -> dict[str, str]:
    pairs = (line.partition("=") for line in ENV_EXAMPLE.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def test_it_runs_what_the_design_names() -> None:
    assert set(SERVICES) == OURS | {"redis", "postgres", "coturn", "caddy"}
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["worker-gpu"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_a_setting(name: str) -> None:
    used = set(SERVICES[name]["environment"])
    assert used, name
    assert used <= known_variables()


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_server_reads_the_values_as_meant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{DOMAIN[^}]*\}", "parley.example.org", value))
    settings = Settings()
    assert settings.redis_url == "redis://redis:6379/0"
    if name == "server":
        assert settings.workers == 0
        assert settings.trusted_proxies == 1
        assert settings.public_url == "https://parley.example.org"
        assert settings.turn_urls == (
            "turn:parley.example.org:3478?transport=udp",
            "turn:parley.example.org:3478?transport=tcp",
        )


def test_every_variable_of_the_image_is_a_setting() -> None:
    used = set(re.findall(r"\b(PARLEY_[A-Z_]+)=", DOCKERFILE))
    assert used
    assert used <= known_variables()


def test_the_environment_file_explains_every_value_that_must_be_given() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    optional = {"PARLEY_VERSION"}
    assert asked - optional == set(example_values())
    required = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    assert {"DOMAIN", "PUBLIC_ADDRESS", "ADMIN_TOKEN", "POSTGRES_PASSWORD", "TURN_SECRET"} == required


def test_no_secret_is_written_down() -> None:
    for name, value in example_values().items():
        if re.search("TOKEN|PASSWORD|SECRET|KEY", name):
            assert value == "", name
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("TOKEN|PASSWORD|SECRET|KEY", name):
                assert value.startswith("${"), name


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_restarts_logs_within_bounds_and_reports_health(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    worker = name.startswith("worker")
    assert ("test" in service["healthcheck"]) is not worker


def test_dependencies_volumes_and_networks_are_declared() -> None:
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "test" in SERVICES[other]["healthcheck"], f"{name} waits for {other}, which never reports health"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"], volume
        assert set(service["networks"]) <= set(COMPOSE["networks"])


def test_only_the_proxy_the_relay_and_media_face_outside() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"server", "coturn", "caddy"}
    assert all(port.endswith("/udp") for port in published["server"])
    for name in ("redis", "postgres", "worker", "worker-gpu"):
        assert SERVICES[name]["networks"] == ["inside"], name


def test_published_media_ports_are_those_the_server_uses() -> None:
    environment = SERVICES["server"]["environment"]
    span = f"{environment['PARLEY_UDP_PORT_MIN']}-{environment['PARLEY_UDP_PORT_MAX']}"
    assert SERVICES["server"]["ports"] == [f"{span}:{span}/udp"]


def test_published_relay_ports_are_those_the_relay_uses() -> None:
    options = dict(line.split("=", 1) for line in TURN.splitlines() if re.match(r"(listening|min|max)-port=", line))
    span = f"{options['min-port']}-{options['max-port']}"
    port = options["listening-port"]
    assert SERVICES["coturn"]["ports"] == [f"{port}:{port}/udp", f"{port}:{port}/tcp", f"{span}:{span}/udp"]
    urls = SERVICES["server"]["environment"]["PARLEY_TURN_URLS"]
    assert set(re.findall(r":(\d+)\?", urls)) == {port}


def test_the_relay_takes_the_servers_secret_and_reaches_no_private_network() -> None:
    assert "use-auth-secret" in TURN.splitlines()
    assert "--static-auth-secret=${TURN_SECRET}" in SERVICES["coturn"]["command"]
    for network in ("10.0.0.0", "127.0.0.0", "169.254.0.0", "172.16.0.0", "192.168.0.0", "fc00::", "fe80::"):
        assert re.search(rf"^denied-peer-ip={re.escape(network)}", TURN, re.MULTILINE), network


def test_the_proxy_reaches_the_server_and_hides_the_metrics() -> None:
    environment = SERVICES["server"]["environment"]
    assert environment["PARLEY_PUBLIC_URL"].startswith("https://${DOMAIN")
    port = re.search(r"PARLEY_PORT=(\d+)", DOCKERFILE)
    assert port is not None
    assert f"reverse_proxy server:{port[1]}" in CADDY
    assert "respond @metrics 404" in CADDY


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_run_without_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    target = service["build"]["target"]
    assert re.search(rf"^FROM base AS {target}$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_a_user_of_its_own() -> None:
    base = DOCKERFILE.split(" AS base\n")[1].split("\nFROM ")[0]
    assert re.search(r"^USER parley$", base, re.MULTILINE)
    assert "USER root" not in DOCKERFILE


def test_the_image_copies_only_what_is_there_and_let_in() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(Path(source).match(pattern) or source.startswith(pattern + "/") for pattern in let_in), source


@pytest.mark.parametrize("name", sorted(set(SERVICES) - OURS))
def test_other_peoples_images_name_a_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert re.match(r"\d", tag), SERVICES[name]["image"]
