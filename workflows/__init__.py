"""What the worker runs: the sole importer of DBOS's decorators. Each workflow is short, and safe to run again."""
