"""Where everything is kept: SQLite or PostgreSQL, personal columns encrypted."""
