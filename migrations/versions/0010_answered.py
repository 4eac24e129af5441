"""When the person had an answer for everything but what is held; of held requests on file, the day of that answer"""

import sqlalchemy as sa
from alembic import op

import dsr.store.tables

revision = '0010'
down_revision = '0009'


def upgrade() -> None:
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.add_column(sa.Column('answered_at', dsr.store.tables.Instant(timezone=True), nullable=True))
    op.execute(
        "UPDATE requests SET answered_at = finished_at WHERE status = 'partially_completed' AND NOT EXISTS ("
        "SELECT 1 FROM receipts r WHERE r.reference = requests.reference"
        " AND r.status = 'in_progress' AND r.outcome = 'manual')"
    )


def downgrade() -> None:
    with op.batch_alter_table('requests', schema=None) as batch_op:
        batch_op.drop_column('answered_at')
