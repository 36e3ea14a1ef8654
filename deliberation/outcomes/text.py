"""How alike texts are, and by which words: one measure for values cards, cases and cohorts.

Owns TF-IDF with cosine similarity (Salton & Buckley 1988) over whole words, so that what is reported as near is near by words a reader
can see. Never judges meaning: it proposes, people confirm. English function words are left out; in other languages their low weight has
to do. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer


@dataclass(frozen=True, slots=True)
class Near:
    """`index` of the text that is near, cosine similarity (0–1), and the shared words that contribute most, strongest first."""

    index: int
    similarity: float
    words: tuple[str, ...]


def nearest(text: str, corpus: Sequence[str], least: float, limit: int, words: int = 5) -> tuple[Near, ...]:
    """Return the corpus texts at least that similar to `text`, nearest first. Empty where no word is shared."""
    if not corpus:
        return ()
    weights, vocabulary = _weights([*corpus, text])
    if weights is None:
        return ()
    query = weights[-1]
    similarity = np.asarray((weights[:-1] @ query.T).todense()).ravel()
    found = []
    for index in np.argsort(-similarity, kind="stable")[:limit]:
        if similarity[index] < least or similarity[index] <= 0:
            break
        shared = weights[index].multiply(query).tocoo()
        strongest = sorted(zip(shared.data, shared.col, strict=True), key=lambda pair: (-pair[0], vocabulary[pair[1]]))
        found.append(Near(int(index), float(min(similarity[index], 1.0)), tuple(vocabulary[col] for _, col in strongest[:words])))
    return tuple(found)


def similar_pairs(texts: Sequence[str], least: float) -> tuple[tuple[int, int, float], ...]:
    """Return (i, j, similarity) with i < j for every pair at least that similar, most similar first."""
    weights, _ = _weights(texts)
    if weights is None:
        return ()
    product = (weights @ weights.T).tocoo()
    pairs = [
        (int(i), int(j), float(min(value, 1.0)))
        for i, j, value in zip(product.row, product.col, product.data, strict=True) if i < j and value >= least
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1])))


def _weights(texts: Sequence[str]) -> tuple[Any, list[str]]:
    """Return L2-normalised TF-IDF rows and the vocabulary; (None, []) where no text has a word that counts."""
    vectoriser = TfidfVectorizer(stop_words=list(ENGLISH_STOP_WORDS), token_pattern=r"(?u)\b\w\w+\b", sublinear_tf=True)
    try:
        weights = vectoriser.fit_transform(texts)
    except ValueError:
        return None, []
    return weights, list(vectoriser.get_feature_names_out())
