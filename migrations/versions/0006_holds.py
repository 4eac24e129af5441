"""Holds: what an erasure must leave alone for now"""

import sqlalchemy as sa
from alembic import op

import dsr.store.tables

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    op.create_table('holds',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reference', sa.String(length=12), nullable=False),
    sa.Column('processor', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=40), server_default='', nullable=False),
    sa.Column('ground', sa.String(length=60), nullable=False),
    sa.Column('owner', sa.String(length=80), nullable=False),
    sa.Column('since', dsr.store.tables.Instant(timezone=True), nullable=False),
    sa.Column('until', dsr.store.tables.Instant(timezone=True), nullable=False),
    sa.Column('ended_at', dsr.store.tables.Instant(timezone=True), nullable=True),
    sa.Column('ended_by', sa.String(length=80), nullable=True),
    sa.ForeignKeyConstraint(['reference'], ['requests.reference'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('holds', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_holds_reference'), ['reference'], unique=False)
        batch_op.create_index(batch_op.f('ix_holds_until'), ['until'], unique=False)


def downgrade() -> None:
    op.drop_table('holds')
