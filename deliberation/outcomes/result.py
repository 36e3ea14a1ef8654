"""What every outcome method hands back, and how it becomes JSON.

Owns the envelope that makes an outcome recomputable (method, version, parameters, seed, hash of the input, what it was derived from) and
the one way figures become plain JSON. Never computes an outcome. Called by `registry` for every method, and by whoever stores results.

Two conventions hold in all figures, and `disclosure` relies on them: an aggregate carries `people`, the number of participants it was
computed from; whatever has one entry per participant sits under the key `rows`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Result:
    """One outcome of one method, with everything needed to compute it again.

    `figures` is plain JSON; `input_hash` is `hash_of` what the method read; `derived_from` says how much of what that was.
    """

    method: str
    version: str
    parameters: Mapping[str, Any]
    seed: int | None
    input_hash: str
    derived_from: Mapping[str, Any]
    figures: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        plain = as_json(self)
        assert isinstance(plain, dict)
        return plain


def as_json(value: Any) -> Any:
    """Turn dataclasses, arrays and tuples into plain JSON values; a number that is not finite becomes None."""
    if value is None or (isinstance(value, (str, bool, int)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "iub":
            return value.tolist()
        return [as_json(entry) for entry in value.tolist()]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(entry) for key, entry in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(as_json(entry) for entry in value)
    if isinstance(value, (list, tuple)):
        return [as_json(entry) for entry in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def hash_of(*parts: Any) -> str:
    """Return the SHA-256 (hex) of the parts' canonical JSON; arrays count by their bytes and type.

    Equal inputs give equal hashes on every machine: keys are sorted, arrays are little-endian.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            array = np.ascontiguousarray(part)
            digest.update(f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}".encode())
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        else:
            digest.update(json.dumps(as_json(part), sort_keys=True, separators=(",", ":")).encode())
        digest.update(b"\0")
    return digest.hexdigest()
