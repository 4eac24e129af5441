"""The chain of the audit: rows written before it are linked by the first one after it"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'

COLUMNS = ("prev_hash", "commitment", "hash")


def upgrade() -> None:
    with op.batch_alter_table('audit', schema=None) as batch_op:
        for name in COLUMNS:
            batch_op.add_column(sa.Column(name, sa.String(length=64), server_default='', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('audit', schema=None) as batch_op:
        for name in reversed(COLUMNS):
            batch_op.drop_column(name)
