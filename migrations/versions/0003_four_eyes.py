"""Four eyes: what one agent proposes, another one decides"""

import sqlalchemy as sa
from alembic import op

import dsr.store.tables

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    op.create_table('decisions',
    sa.Column('reference', sa.String(length=12), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('key_id', sa.String(length=32), nullable=False),
    sa.Column('details_enc', sa.LargeBinary(), nullable=False),
    sa.Column('proposed_by', sa.String(length=80), nullable=False),
    sa.Column('proposed_at', dsr.store.tables.Instant(timezone=True), nullable=False),
    sa.Column('decided_by', sa.String(length=80), nullable=True),
    sa.Column('decided_at', dsr.store.tables.Instant(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['key_id'], ['keys.id'], ),
    sa.ForeignKeyConstraint(['reference'], ['requests.reference'], ),
    sa.PrimaryKeyConstraint('reference', 'kind')
    )


def downgrade() -> None:
    op.drop_table('decisions')
