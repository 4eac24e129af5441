"""A vendor's job handle of any length: what is written after a destructive call must always fit"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'


def upgrade() -> None:
    with op.batch_alter_table('receipts', schema=None) as batch_op:
        batch_op.alter_column(
            'handle', existing_type=sa.String(length=200), type_=sa.Text(), existing_nullable=False,
            existing_server_default='',
        )


def downgrade() -> None:
    with op.batch_alter_table('receipts', schema=None) as batch_op:
        batch_op.alter_column(
            'handle', existing_type=sa.Text(), type_=sa.String(length=200), existing_nullable=False,
            existing_server_default='',
        )
