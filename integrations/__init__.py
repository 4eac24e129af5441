"""The outside world: channels (ways in), processors (recipients of personal data), and their local twins."""
