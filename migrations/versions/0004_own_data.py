"""Whose conversation it is, and the indexes by which a person's rows are found and removed"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'

INDEXES = (
    ('ix_conversations_address_hash', 'conversations', 'address_hash'),
    ('ix_messages_conversation_id', 'messages', 'conversation_id'),
    ('ix_requests_conversation_id', 'requests', 'conversation_id'),
    ('ix_outgoing_key_id', 'outgoing', 'key_id'),
)


def upgrade() -> None:
    op.add_column('conversations', sa.Column('address_hash', sa.String(length=64), nullable=True))
    for name, table, column in INDEXES:
        op.create_index(name, table, [column])


def downgrade() -> None:
    for name, table, _ in INDEXES:
        op.drop_index(name, table)
    op.drop_column('conversations', 'address_hash')
