"""The life of a data subject request: no Flask, no HTTP, no vendor."""
