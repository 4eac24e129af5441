"""Fine-tuning of the encoder on the lines, with JAX (a development package) on one or two cores.

About 2 minutes an epoch for 8,000 lines. Matrix products run in bfloat16, so two machines may end with slightly
different weights; what is committed is the encoder itself, and everything that `train` adds to it is exact.
"""

# mypy: ignore-errors
from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from intents.encoder import EXIT_AFTER, HEAD_SIZE, MATRICES
from intents.lines import LABELS
from intents.pretrain.samples import Batch, Example, batches, epoch

_BETA1, _BETA2 = 0.9, 0.98
_DECAY = 0.01
_DROPPED = 0.1
_SMOOTHING = 0.01
_HEAD_RATE = 5.0
_EXIT_WEIGHT = 0.3


def finetune(
    start: dict[str, np.ndarray],
    examples: Sequence[Example],
    tokens: Callable[[str], list[int]],
    *,
    whole_epochs: int,
    pruned_epochs: int,
    heads: int,
    inner: int,
    rate: float,
    say: Callable[[str], None] = print,
    after_epoch: Callable[[dict], None] | None = None,
) -> dict:
    """Return the fine-tuned parameters, pruned to `heads` attention heads and `inner` units in each layer.

    First the whole model learns the task; the parts that then matter least to the loss are cut; what is left learns
    on. `start` holds the stacked layers, the table and its normalisation; with `heads` beside them and no whole
    epochs, what was pruned and trained before learns on.
    """
    parameters = _initial(start)
    fixed = {name: jnp.asarray(start[name]) for name in ("table", "positions", "norm")}
    key = jax.random.PRNGKey(1)
    running, began, seed = 2.5, time.time(), 0
    for stage, epochs in enumerate((whole_epochs, pruned_epochs)):
        first = jax.tree.map(jnp.zeros_like, parameters)
        second = jax.tree.map(jnp.zeros_like, parameters)
        seen = [epoch(examples, tokens, seed + number) for number in range(epochs)]
        seed += epochs
        total, done = sum(map(len, seen)), 0
        weight_of = None
        for batches_ in seen:
            for batch in batches_:
                done += 1
                speed = rate * min(1.0, done / (0.15 * total) if stage == 0 else done / 30)
                if stage == 1:
                    speed *= 1 - (done - 1) / total
                key, now = jax.random.split(key)
                parameters, first, second, loss, importance = _step(
                    parameters, first, second, float(done), speed, fixed, _as_tuple(batch), now
                )
                if stage == 0 and done > total // 2:
                    weight_of = importance if weight_of is None else jax.tree.map(jnp.add, weight_of, importance)
                running = 0.97 * running + 0.03 * float(loss)
                if done % 50 == 0:
                    say(f"stage {stage + 1} step {done}/{total} loss {running:.3f} {time.time() - began:.0f} s")
            if after_epoch:
                after_epoch(parameters)
        if stage == 0 and epochs:
            parameters = _pruned(parameters, weight_of, heads, inner)
    return parameters


def _importance(layers, gradient):
    """Squared first-order effect on the loss of cutting each attention head and each inner unit, per layer."""
    units = ((layers["down"] * gradient["down"]).sum(-1)) ** 2
    rows = (layers["out"] * gradient["out"]).sum(-1)
    return {"units": units, "heads": rows.reshape(len(rows), -1, HEAD_SIZE).sum(-1) ** 2}


def _pruned(parameters: dict, importance: dict, heads: int, inner: int) -> dict:
    """Keep the most important heads and inner units of each layer."""
    layers = {name: np.array(value) for name, value in parameters["layers"].items()}
    kept: dict[str, list[np.ndarray]] = {name: [] for name in layers}
    for number in range(len(layers["qkv"])):
        layer = {name: value[number] for name, value in layers.items()}
        best = np.sort(np.argsort(-np.array(importance["heads"][number]), kind="stable")[:heads])
        units = np.sort(np.argsort(-np.array(importance["units"][number]), kind="stable")[:inner])
        columns = (best[:, None] * HEAD_SIZE + np.arange(HEAD_SIZE)).ravel()
        three = np.concatenate([columns + part * layer["out"].shape[0] for part in range(3)])
        layer |= {"qkv": layer["qkv"][:, three], "qkv_bias": layer["qkv_bias"][three], "out": layer["out"][columns]}
        layer |= {"up": layer["up"][:, units], "up_bias": layer["up_bias"][units], "down": layer["down"][units]}
        for name, value in layer.items():
            kept[name].append(value)
    return parameters | {"layers": {name: jnp.asarray(np.stack(value)) for name, value in kept.items()}}


def predict(parameters: dict, start: dict[str, np.ndarray], tokenised: Sequence[list[int]]) -> np.ndarray:
    """Logits of texts in their order, half-way and at the end."""
    fixed = {name: jnp.asarray(start[name]) for name in ("table", "positions", "norm")}
    out = np.zeros((2, len(tokenised), len(LABELS)), dtype=np.float32)
    blank = np.zeros(len(LABELS), dtype=np.float32)
    # The row number travels in the first label, since batches come sorted by length.
    rows = []
    for number, pieces in enumerate(tokenised):
        carried = blank.copy()
        carried[0] = number + 1
        rows.append((pieces, carried, blank))
    for batch in batches(rows):
        logits = np.stack([np.array(z) for z in _forward(parameters, fixed, batch.tokens)])
        for row, carried in enumerate(batch.labels[:, 0].astype(int)):
            if carried:
                out[:, carried - 1] = logits[:, row]
    return out


def _as_tuple(batch: Batch) -> tuple:
    return batch.tokens, batch.labels, batch.weights


def _initial(start: dict[str, np.ndarray]) -> dict:
    layers = {name: jnp.asarray(value) for name, value in start["layers"].items()}
    if "heads" in start:
        return {"layers": layers} | {name: jnp.asarray(value) for name, value in start["heads"].items()}
    generator = np.random.RandomState(0)
    width = start["table"].shape[1]
    head = generator.randn(width, 3 * len(LABELS)).astype(np.float32) * 0.02
    bias = np.full(len(LABELS), -2.0, dtype=np.float32)
    heads = {"head": jnp.asarray(head), "head_bias": jnp.asarray(bias)}
    exits = {"exit": jnp.asarray(head), "exit_bias": jnp.asarray(bias)}
    return {"layers": layers} | heads | exits


def _product(left, right):
    return jnp.dot(left.astype(jnp.bfloat16), right.astype(jnp.bfloat16), preferred_element_type=jnp.float32)


def _norm(x, weight, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * weight + bias


def _states(parameters, fixed, tokens, key):
    """Token states half-way and after the last layer; whole branches' columns are dropped when a key is given."""
    count, length = tokens.shape
    width = fixed["table"].shape[1]
    heads = parameters["layers"]["out"].shape[1] // HEAD_SIZE
    known = tokens >= 0
    bias = jnp.where(known, 0.0, -1e4)[:, None, None, :]
    x = fixed["table"][jnp.maximum(tokens, 0)].astype(jnp.float32) + fixed["positions"][:length]
    x = _norm(x, fixed["norm"][0], fixed["norm"][1])

    def dropped(h, k):
        return h if key is None else h * jax.random.bernoulli(k, 1 - _DROPPED, (count, 1, width)) / (1 - _DROPPED)

    def one(carry, layer):
        x, k = carry
        k, k1, k2 = jax.random.split(k, 3)
        projected = (_product(x, layer["qkv"]) + layer["qkv_bias"]).reshape(count, length, 3, heads, HEAD_SIZE)
        query, keys, value = projected.transpose(2, 0, 3, 1, 4)
        attention = jax.nn.softmax(query @ keys.transpose(0, 1, 3, 2) * HEAD_SIZE**-0.5 + bias, -1)
        mixed = (attention @ value).transpose(0, 2, 1, 3).reshape(count, length, heads * HEAD_SIZE)
        x = _norm(
            x + dropped(_product(mixed, layer["out"]) + layer["out_bias"], k1), layer["norm1"], layer["norm1_bias"]
        )
        inner = jax.nn.gelu(_product(x, layer["up"]) + layer["up_bias"], approximate=True)
        x = _norm(
            x + dropped(_product(inner, layer["down"]) + layer["down_bias"], k2), layer["norm2"], layer["norm2_bias"]
        )
        return (x, k), None

    carry = (x, jax.random.PRNGKey(0) if key is None else key)
    carry, _ = lax.scan(one, carry, jax.tree.map(lambda w: w[:EXIT_AFTER], parameters["layers"]))
    half_way = carry[0]
    carry, _ = lax.scan(one, carry, jax.tree.map(lambda w: w[EXIT_AFTER:], parameters["layers"]))
    return half_way, carry[0], known


def _logits(parameters, fixed, tokens, key=None):
    """Scores half-way and at the end."""
    half_way, end, known = _states(parameters, fixed, tokens, key)
    return (
        _pooled(half_way, known, parameters["exit"], parameters["exit_bias"]),
        _pooled(end, known, parameters["head"], parameters["head_bias"]),
    )


def _pooled(x, known, head, bias):
    columns = x @ head
    labels = len(LABELS)
    attention = jax.nn.softmax(jnp.where(known[..., None], columns[..., :labels], -1e4), 1)
    pooled = (attention * columns[..., labels : 2 * labels]).sum(1)
    share = known[..., None] / known.sum(1)[:, None, None]
    return pooled + (columns[..., 2 * labels :] * share).sum(1) + bias


def _loss(parameters, fixed, batch, key):
    tokens, labels, weights = batch
    half_way, logits = _logits(parameters, fixed, tokens, key)
    smooth = labels * (1 - 2 * _SMOOTHING) + _SMOOTHING
    messages = (weights.max(1) > 0).sum()  # rows that only fill a batch have no weight

    def entropy(z):
        return (weights * (jnp.logaddexp(0, z) - smooth * z)).sum() / jnp.maximum(messages, 1)

    return entropy(logits) + _EXIT_WEIGHT * entropy(half_way)


@jax.jit
def _step(parameters, first, second, step, rate, fixed, batch, key):
    loss, gradient = jax.value_and_grad(_loss)(parameters, fixed, batch, key)
    length = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient)))
    gradient = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / length), gradient)
    first = jax.tree.map(lambda m, g: _BETA1 * m + (1 - _BETA1) * g, first, gradient)
    second = jax.tree.map(lambda v, g: _BETA2 * v + (1 - _BETA2) * g * g, second, gradient)
    layers = parameters["layers"]
    rest = {name: 0.0 for name in parameters if name != "layers"}
    faster = dict.fromkeys(rest, _HEAD_RATE) | {"layers": dict.fromkeys(layers, 1.0)}
    decay = rest | {"layers": {name: _DECAY * (name in MATRICES) for name in layers}}

    def moved(p, m, v, speed, shrink):
        corrected = (m / (1 - _BETA1**step)) / (jnp.sqrt(v / (1 - _BETA2**step)) + 1e-8)
        return p - rate * speed * (corrected + shrink * p)

    importance = _importance(parameters["layers"], gradient["layers"])
    return jax.tree.map(moved, parameters, first, second, faster, decay), first, second, loss, importance


@jax.jit
def _forward(parameters, fixed, tokens):
    return _logits(parameters, fixed, tokens)
