"""When to ask again whether a restriction or objection still stands"""

import sqlalchemy as sa
from alembic import op

import dsr.store.tables

revision = '0008'
down_revision = '0007'


def upgrade() -> None:
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.add_column(sa.Column('look_at', dsr.store.tables.Instant(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f('ix_requests_look_at'), ['look_at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_requests_look_at'))
        batch_op.drop_column('look_at')
