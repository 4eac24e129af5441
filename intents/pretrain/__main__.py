"""`python -m intents.pretrain [--layers N] [--epochs N] [--hold-out F]`: makes `intents/encoder.npz`.

With `--hold-out F` (0 to 9) a tenth of the meaning groups is kept out, their logits go to the file named by
`--scores`, and no encoder is written unless `--output` says so: this is how figures on unseen lines are made.
`--continue-from encoder.npz --whole-epochs 0` learns on from a finished encoder, when some lines are new.
"""

# mypy: ignore-errors
from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from intents.detection import INTENTS
from intents.encoder import ENCODER_FILE, MATRICES, MAX_TOKENS, VECTORS, unpack
from intents.linear import Floats, train_linear
from intents.lines import Line, fold_of, training_lines
from intents.ngrams import BUCKETS, features
from intents.pretrain import vocabulary
from intents.pretrain.e5 import E5, WIDTH
from intents.pretrain.finetune import finetune, predict
from intents.pretrain.samples import Example, label_weights
from intents.selection import readable_text
from intents.train import best_threshold, key_of, model_texts, save, targets

FOLDS = 10


def main() -> None:
    """Fine-tune, report, write."""
    parser = argparse.ArgumentParser(prog="python -m intents.pretrain", description=__doc__)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--inner", type=int, default=512)
    parser.add_argument("--whole-epochs", type=int, default=2)
    parser.add_argument("--pruned-epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--hold-out", type=int)
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--continue-from", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines = training_lines()
    texts = model_texts(lines)
    e5 = E5.load()
    finished = np.load(options.continue_from) if options.continue_from else None
    kept = vocabulary.numbers(e5, stored_pieces(finished)) if finished else vocabulary.choose(e5, texts)
    tokens = vocabulary.tokenizer(e5, kept)
    labels, weights = targets(lines)
    texts = readable(lines, texts, labels, weights, tokens)
    held = np.array([fold_of(line, FOLDS) == options.hold_out for line in lines])
    weights = label_weights(weights)
    examples = [Example(texts[i], lines[i].lang, labels[i], weights[i]) for i in np.flatnonzero(~held)]
    start = starting_point(e5, kept, options.layers) | (learned(finished) if finished else {})
    inside = [tokens(texts[i]) for i in np.flatnonzero(held)]
    print(
        f"{len(examples)} examples, {len(kept)} pieces, {options.layers} layers, {len(inside)} lines held out",
        flush=True,
    )

    def tell(parameters: dict) -> None:
        if inside:
            for name, logits in zip(("half-way", "end"), predict(parameters, start, inside), strict=True):
                print(name, summary(logits, labels[held], weights[held]), flush=True)

    parameters = finetune(
        start,
        examples,
        tokens,
        whole_epochs=options.whole_epochs,
        pruned_epochs=options.pruned_epochs,
        heads=options.heads,
        inner=options.inner,
        rate=options.rate,
        say=lambda text: print(text, flush=True),
        after_epoch=tell,
    )
    if options.scores:
        keys = np.array([key_of(lines[i]) for i in np.flatnonzero(held)], dtype=np.uint64)
        half_way, logits = predict(parameters, start, inside).astype(np.float16)
        save({"keys": keys, "half_way": half_way, "logits": logits}, options.scores)
    if options.output or options.hold_out is None:
        save(export(e5, kept, parameters), options.output or ENCODER_FILE)


def readable(lines: Sequence[Line], texts: Sequence[str], labels: Floats, weights: Floats, tokens) -> list[str]:
    """Shorten long texts as the detector will, but by n-gram models that have not seen the line's group."""
    rows = [features(text) for text in texts]
    part = np.array([fold_of(line, 2) for line in lines])
    found = list(texts)
    for fold in range(2):
        other = np.flatnonzero(part != fold)
        matrix, bias = train_linear([rows[i] for i in other], labels[other], weights[other], buckets=BUCKETS, epochs=4)

        def score(sentence: str, matrix: Floats = matrix, bias: Floats = bias) -> Floats:
            index, value = features(sentence)
            return value @ matrix[index] + bias

        for i in np.flatnonzero(part == fold):
            if len(texts[i]) > MAX_TOKENS:
                found[i] = readable_text(texts[i], tokens, score)
    return found


def starting_point(e5: E5, kept: np.ndarray, layers: int) -> dict:
    """e5's lower layers, stacked, with the rows of the kept pieces."""
    each = [e5.layer(number) for number in range(layers)]
    positions = e5.vector("emb.pos").reshape(-1, WIDTH)[: MAX_TOKENS + 2]
    return {
        "layers": {name: np.stack([layer[name] for layer in each]) for name in (*MATRICES, *VECTORS)},
        "table": unpack(e5.packed("emb.word", WIDTH)[kept]).astype(np.float16),
        "positions": positions + e5.vector("emb.type").reshape(-1, WIDTH)[0],
        "norm": np.stack([e5.vector("emb.ln.w"), e5.vector("emb.ln.b")]),
    }


def learned(finished: Mapping[str, np.ndarray]) -> dict:
    """Layers and heads of a finished encoder, as `export` has written them."""
    layers: dict[str, list[np.ndarray]] = {}
    for number in range(int(finished["layers"].item())):
        for name in VECTORS:
            layers.setdefault(name, []).append(finished[f"{name}_{number}"].astype(np.float32))
        for name in MATRICES:
            whole = finished[f"{name}_{number}"].astype(np.float32) * finished[f"{name}_scale_{number}"]
            layers.setdefault(name, []).append(whole)
    heads = {name: finished[name].astype(np.float32) for name in ("exit", "exit_bias", "head", "head_bias")}
    return {"layers": {name: np.stack(each) for name, each in layers.items()}, "heads": heads}


def stored_pieces(finished: Mapping[str, np.ndarray]) -> list[str]:
    """The word pieces of a finished encoder, in their order."""
    return finished["pieces"].tobytes().decode().split("\n")


def export(e5: E5, kept: np.ndarray, parameters: dict) -> dict[str, np.ndarray]:
    """The arrays of `encoder.npz`: matrices in 8 bits with a scale per column, the token table in 4 bits."""
    layers = {name: np.array(value) for name, value in parameters["layers"].items()}
    positions = e5.vector("emb.pos").reshape(-1, WIDTH)[: MAX_TOKENS + 2]
    arrays = {
        "pieces": np.frombuffer("\n".join(vocabulary.pieces(e5, kept)).encode(), dtype=np.uint8),
        "piece_scores": e5.scores[kept].astype(np.float32),
        "table": e5.packed("emb.word", WIDTH)[kept],
        "positions": (positions + e5.vector("emb.type").reshape(-1, WIDTH)[0]).astype(np.float16),
        "norm": np.stack([e5.vector("emb.ln.w"), e5.vector("emb.ln.b")]).astype(np.float32),
        "layers": np.array(len(layers["qkv"])),
        **{name: np.array(parameters[name]).astype(np.float16) for name in ("exit", "head")},
        **{name: np.array(parameters[name]).astype(np.float32) for name in ("exit_bias", "head_bias")},
    }
    for number in range(len(layers["qkv"])):
        for name in VECTORS:
            arrays[f"{name}_{number}"] = layers[name][number].astype(np.float16)
        for name in MATRICES:
            scale = np.abs(layers[name][number]).max(axis=0) / 127
            arrays[f"{name}_{number}"] = np.rint(layers[name][number] / scale).astype(np.int8)
            arrays[f"{name}_scale_{number}"] = scale.astype(np.float32)
    return arrays


def summary(logits: np.ndarray, labels: Floats, weights: Floats) -> str:
    """F1 of each intent at its best threshold, and their mean."""
    p = 1 / (1 + np.exp(-logits))
    found = []
    for column in range(len(INTENTS)):
        chosen = p[:, column] >= best_threshold(p[:, column], labels[:, column], weights[:, column])
        right, weight = labels[:, column] > 0, weights[:, column] > 0
        hits, wrong = (chosen & right & weight).sum(), (chosen & ~right & weight).sum()
        found.append(2 * hits / (2 * hits + wrong + (~chosen & right).sum()))
    return f"macro-F1 {np.mean(found):.4f}  " + " ".join(f"{x:.3f}" for x in found)


if __name__ == "__main__":
    main()
