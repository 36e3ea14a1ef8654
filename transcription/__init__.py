"""Live speech to text: each participant's Opus packets become attributed utterances with word times."""
