"""From many rooms to one outcome that a sceptic can check: one method, one module, pure functions over one record.

Never does I/O, never asks a model, never knows a name: participants are pseudonyms. Imports nothing of ours but `deliberation`. Called by
the server (`compute`), by `parley outcomes` (`run`), and by `facilitator` (`ballots.schulze`).
"""

from deliberation.outcomes.record import Record, parse_record, record_as_json
from deliberation.outcomes.registry import METHODS, compute, recompute, run
from deliberation.outcomes.result import Result

__all__ = ["METHODS", "Record", "Result", "compute", "parse_record", "recompute", "record_as_json", "run"]
