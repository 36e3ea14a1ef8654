"""A language model behind any OpenAI-compatible server, through the openai client.

Owns the client and what the server was found to support. Turns every failure into `ModelFailure`; never retries (the breaker and the
fallbacks are the answer to failure). `open_model` is what the server calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import openai

from facilitator.llm import DEADLINE_SECONDS, Guarded, LanguageModel, ModelFailure, ModelReply, ModelRequest

_FORMATS = ("json_schema", "json_object", "none")


def open_model(
    base_url: str | None,
    model: str,
    api_key: str | None,
    *,
    timeout_seconds: float = DEADLINE_SECONDS,
    max_input_chars: int = 24_000,
    at_once: int = 4,
    clock: Callable[[], float] = time.monotonic,
) -> LanguageModel:
    """Return a guarded model; `max_input_chars` must fit its context (about four characters a token)."""
    inner = OpenAIModel(base_url, model, api_key, deadline_seconds=timeout_seconds, max_input_chars=max_input_chars)
    return Guarded(inner, clock, at_once=at_once)


class OpenAIEmbedder:
    """One embedding model of one server (`/v1/embeddings`)."""

    def __init__(self, base_url: str | None, model: str, api_key: str | None, *, deadline_seconds: float) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", max_retries=0, timeout=deadline_seconds
        )
        self.name = model
        self.deadline_seconds = deadline_seconds

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text; see `Embedder.embed`."""
        try:
            done = await self._client.embeddings.create(model=self.name, input=list(texts), encoding_format="float")
            return [list(item.embedding) for item in sorted(done.data, key=lambda item: item.index)]
        except openai.APITimeoutError:
            raise ModelFailure("timeout", "The embedding model did not answer in time.") from None
        except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
            raise ModelFailure("unavailable", f"The embedding model's server failed: {type(error).__name__}.") from None


class OpenAIModel:
    """One model of one server. Remembers which `response_format` the server takes, from the strictest down."""

    def __init__(
        self, base_url: str | None, model: str, api_key: str | None, *, deadline_seconds: float, max_input_chars: int
    ) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", max_retries=0, timeout=deadline_seconds
        )
        self.name = model
        self.deadline_seconds = deadline_seconds
        self.max_input_chars = max_input_chars
        self._format = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Ask for one answer; see `LanguageModel.complete`."""
        while True:
            try:
                return await self._once(request, _FORMATS[self._format])
            except openai.BadRequestError:
                if self._format == len(_FORMATS) - 1:
                    raise ModelFailure("unavailable", "The language model's server refused the request.") from None
                self._format += 1
            except openai.APITimeoutError:
                raise ModelFailure("timeout", "The language model did not answer in time.") from None
            except (openai.OpenAIError, ValueError) as error:
                raise ModelFailure(
                    "unavailable", f"The language model's server failed: {type(error).__name__}."
                ) from None

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    async def _once(self, request: ModelRequest, form: str) -> ModelReply:
        wanted: dict[str, Any] = {}
        if form == "json_schema":
            schema = {"name": request.schema_name, "schema": request.schema, "strict": True}
            wanted["response_format"] = {"type": form, "json_schema": schema}
        elif form == "json_object":
            wanted["response_format"] = {"type": form}
        done = await self._client.chat.completions.create(
            model=self.name,
            messages=[{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
            max_tokens=request.max_tokens,
            temperature=0,
            timeout=request.timeout_seconds,
            **wanted,
        )
        choices = cast("list[Any] | None", getattr(done, "choices", None))
        if not choices or not hasattr(choices[0], "message"):
            raise ModelFailure("unavailable", "The language model's server sent something else than an answer.")
        message = choices[0].message
        if getattr(message, "refusal", None) or not message.content or choices[0].finish_reason == "content_filter":
            raise ModelFailure("refused", "The language model declined to answer.")
        usage = done.usage
        return ModelReply(
            str(message.content), usage.prompt_tokens if usage else 0, usage.completion_tokens if usage else 0
        )
