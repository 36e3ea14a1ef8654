"""Sounds that are not speech, a minute of each, through the real voice detector: not a word may come of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.transcription.fakes import packets
from transcription.decode import RATE, Samples
from transcription.segmenter import Boundary
from transcription.settings import TranscriptionSettings
from transcription.speaker import Speaker

LENGTH = 60 * RATE
AT = np.arange(LENGTH) / RATE


def shaped(rng: np.random.Generator, gain: Callable[[np.ndarray], np.ndarray], level: float) -> np.ndarray:
    """Noise with a spectrum."""
    spectrum = np.fft.rfft(rng.normal(0, 1, LENGTH)) * gain(np.maximum(np.fft.rfftfreq(LENGTH, 1 / RATE), 1))
    sound = np.fft.irfft(spectrum, LENGTH)
    return sound / np.abs(sound).max() * level


def silence(rng: np.random.Generator) -> np.ndarray:
    return np.zeros(LENGTH)


def hum(rng: np.random.Generator) -> np.ndarray:
    return sum(0.1 / n * np.sin(2 * np.pi * 50 * n * AT) for n in (1, 2, 3, 5, 7))


def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0, 0.05, LENGTH)


def rumble(rng: np.random.Generator) -> np.ndarray:
    return shaped(rng, lambda hertz: 1 / hertz, 0.5)


def music(rng: np.random.Generator) -> np.ndarray:
    """Chords of plucked strings, two a second."""
    sound = np.zeros(LENGTH)
    for beat in range(118):
        begin = beat * RATE // 2
        at = np.arange(int(0.9 * RATE)) / RATE
        for pitch in rng.choice([220.0, 246.9, 261.6, 293.7, 329.6, 349.2, 392.0, 440.0], 3):
            string = sum(np.sin(2 * np.pi * pitch * n * at) / n for n in range(1, 6))
            sound[begin : begin + len(at)] += 0.06 * np.minimum(1, at * 100) * np.exp(-4 * at) * string
    return sound


def keyboard(rng: np.random.Generator) -> np.ndarray:
    sound = rng.normal(0, 0.001, LENGTH)
    key = np.exp(-np.arange(RATE // 80) / RATE * 300)
    at = 0
    while at < LENGTH - RATE // 8:
        sound[at : at + len(key)] += rng.normal(0, 0.3, len(key)) * key
        release = at + RATE // 20
        sound[release : release + len(key)] += rng.normal(0, 0.15, len(key)) * key
        at += int(rng.uniform(0.08, 0.4) * RATE)
    return sound


def breath(rng: np.random.Generator) -> np.ndarray:
    """In and out through a band around 900 Hz, every 3.5 s."""
    air = shaped(rng, lambda hertz: np.exp(-(np.log(hertz / 900) ** 2)), 0.25)
    phase = (AT % 3.5) / 1.4
    return air * np.where(phase < 1, np.sin(np.pi * phase) ** 2, 0)


SOUNDS = [silence, hum, noise, rumble, music, keyboard, breath]


def hear(sound: Samples) -> list[Boundary]:
    speaker = Speaker(TranscriptionSettings())
    found: list[Boundary] = []
    for index, packet in enumerate(packets(sound)):
        speaker.push(packet)
        if index % 13 == 12:
            found += speaker.advance(packet.at)
    return found + speaker.flush(packet.at)


@pytest.mark.parametrize("make", SOUNDS, ids=lambda make: make.__name__)
def test_what_is_not_speech_never_reaches_a_recogniser(make: Callable[[np.random.Generator], np.ndarray]) -> None:
    assert hear(make(np.random.default_rng(7)).astype(np.float32)) == []
