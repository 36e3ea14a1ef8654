"""Structured logs: a static message and ids as fields; never what people said, their names or their links."""

from __future__ import annotations

import logging
import sys
import traceback

import structlog

from deliberation.errors import ParleyError
from server.settings import Settings

_MOST_CAUSES = 8


def configure(settings: Settings) -> None:
    """Send our logs, and the libraries' warnings, to standard error in the chosen format."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor
    if settings.log_format == "json":
        shared.append(structlog.processors.ExceptionRenderer(lambda exc_info: stack_of(exc_info[1])))
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=lambda out, exc_info: print("\n" + stack_of(exc_info[1]), file=out, end=""),
        )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiohttp.access", "aioice", "aiortc", "alembic", "faster_whisper", "httpx", "openai"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def stack_of(error: BaseException | None) -> str:
    """Return where an error and its causes happened and of what type they are, but not what they say.

    Messages of validation and database errors hold values, and those are what people said.
    """
    parts: list[str] = []
    while error is not None and len(parts) < _MOST_CAUSES:
        code = f" ({error.code})" if isinstance(error, ParleyError) else ""
        inner = error.exceptions[:_MOST_CAUSES] if isinstance(error, BaseExceptionGroup) else ()
        parts.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__ + code)
        parts += [stack_of(one) for one in inner]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nbecause of:\n".join(parts)
