"""The domain of Parley, pure: no I/O, no asyncio, time is an argument."""
