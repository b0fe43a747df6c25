"""mails"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('reset_password', 'confirm_email')", name=op.f("ck_mails_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index("ix_mails_due", "mails", ["next_at"], unique=False)
    op.add_column("mailboxes", sa.Column("is_closed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.alter_column("people", "language", existing_type=sa.String(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM people WHERE language IS NULL")
    op.alter_column("people", "language", existing_type=sa.String(), nullable=False)
    op.drop_column("mailboxes", "is_closed")
    op.drop_index("ix_mails_due", table_name="mails")
    op.drop_table("mails")
