"""Warn also of what is open and overdue, whose last warning before the due date was said"""

from alembic import op

revision = '0011'
down_revision = '0010'


def upgrade() -> None:
    op.execute(
        "UPDATE requests SET warn_at = due_at WHERE warn_at IS NULL"
        " AND status NOT IN ('completed', 'refused', 'withdrawn', 'expired')"
    )


def downgrade() -> None:
    pass
