"""The export package: what is collected of a person, masked, described, sealed, and written as one zip."""
