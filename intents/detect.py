"""From raw message to `Detection`: text layer, scores, thresholds, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from intents.authority import is_authority_complaint
from intents.detection import INTENTS, Cleaned, Detection
from intents.encoder import Encoder, shared_encoder
from intents.lines import LABELS
from intents.model import Model, Scored, shared_model
from intents.offers import with_offer
from intents.replies import answer
from intents.text.cleaning import own_words
from intents.text.sentences import split_sentences


def clean(text: str) -> Cleaned:
    """Separate the author's own new text from markup, quoted mail, signature and footer."""
    new, quoted = own_words(text)
    return Cleaned(new, quoted, shared_model().language(new))


def detect(text: str, *, context: Iterable[str] | None = None) -> Detection:
    """Say which privacy rights the author of `text` uses now.

    `context` names the intents that our own last question was about, so that a bare "yes, please" is understood
    as those intents (signal `affirm`) and "no" as none (signal `deny`).
    """
    model = shared_model()
    new, quoted = own_words(text)
    language = model.language(new)
    if not any(c.isalpha() for c in new):
        return Detection((), (), MappingProxyType(dict.fromkeys(INTENTS, 0.0)), language)
    reply = answer(new)
    encoder = shared_encoder()
    asked_text = with_offer(new, quoted)
    scored = model.score(asked_text, encoder)
    scores = dict(scored.probabilities)
    found = {label for label, limit in zip(LABELS, model.thresholds, strict=True) if scores[label] >= limit}
    unsure = {
        label
        for label, low, limit in zip(LABELS, model.unsure_from, model.thresholds, strict=True)
        if low <= scores[label] < limit and label in INTENTS
    }
    if reply:
        found.add(reply)
        asked = set(context or ()) & set(INTENTS)
        if reply == "affirm" and asked:
            found |= asked
            unsure -= asked
            scores |= {label: max(scores[label], 0.95) for label in asked}
        elif reply == "deny" and asked:
            found -= asked
            unsure -= asked
    if is_authority_complaint(new):
        found = (found - set(INTENTS)) | {"authority_complaint"}
        unsure = set()
    return Detection(
        intents=tuple(i for i in INTENTS if i in found),
        unsure=tuple(i for i in INTENTS if i in unsure),
        scores=MappingProxyType({i: round(scores[i], 4) for i in INTENTS}),
        language=language,
        signals=frozenset(found - set(INTENTS)),
        reasons=MappingProxyType(_reasons(model, encoder, asked_text, scored, found | unsure)),
    )


def _reasons(model: Model, encoder: Encoder | None, text: str, scored: Scored, labels: set[str]) -> Mapping[str, str]:
    """For each label the sentence that weighs most in its score."""
    sentences = split_sentences(text)
    if not labels or not sentences:
        return {}
    lengths = [len(encoder.tokens(sentence)) if encoder else 0 for sentence in sentences]
    if scored.shares is not None and sum(lengths) == len(scored.shares):
        ends = np.cumsum([0, *lengths[:-1]])
        weights = np.add.reduceat(scored.shares, ends, axis=0)
    else:  # the encoder read only a part: ask the n-gram model about each sentence
        weights = np.stack([model.ngram_logits(sentence) for sentence in sentences])
    best = {label: sentences[int(row)] for label, row in zip(LABELS, weights.argmax(axis=0), strict=True)}
    return {label: best.get(label, sentences[0]) for label in sorted(labels)}
