"""mails of what is new"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailboxes", sa.Column("mail_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mailboxes", sa.Column("mail_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("mailboxes", sa.Column("mailed_seq", sa.BigInteger(), nullable=True))
    op.add_column("mailboxes", sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_mailboxes_mail_due",
        "mailboxes",
        ["mail_due_at"],
        unique=False,
        postgresql_where=sa.text("mail_due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_mailboxes_mail_due", table_name="mailboxes", postgresql_where=sa.text("mail_due_at IS NOT NULL"))
    op.drop_column("mailboxes", "mailed_at")
    op.drop_column("mailboxes", "mailed_seq")
    op.drop_column("mailboxes", "mail_attempts")
    op.drop_column("mailboxes", "mail_due_at")
