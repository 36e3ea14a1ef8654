"""From many rooms to one outcome that a sceptic can check: one method, one module, pure functions over one record.

Never does I/O, never asks a model, never knows a name: participants are pseudonyms. Imports nothing of ours but `deliberation`. Called
through `registry` by the server (`compute`) and by `parley outcomes` (`run`), and by `facilitator` for `ballots.schulze`. This file imports
nothing, so that whoever needs one module does not load the numerical libraries of all.
"""
