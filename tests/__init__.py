"""Tests; `from tests.twins import …` works from everywhere because this is a package."""
