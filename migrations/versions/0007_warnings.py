"""When to warn next that a request is due; of what is open now, from its receipt on"""

import sqlalchemy as sa
from alembic import op

import dsr.store.tables

revision = '0007'
down_revision = '0006'


def upgrade() -> None:
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.add_column(sa.Column('warn_at', dsr.store.tables.Instant(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_requests_warn_at'), ['warn_at'], unique=False)
    op.execute("UPDATE requests SET warn_at = received_at WHERE finished_at IS NULL")


def downgrade() -> None:
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_requests_warn_at'))
        batch_op.drop_column('warn_at')
