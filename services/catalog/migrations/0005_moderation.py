"""what moderators decided; lists of services by status"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "moderation_log",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("moderator_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("decision IN ('approve', 'hide')", name=op.f("ck_moderation_log_decision")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_moderation_log_service_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_moderation_log")),
    )
    op.create_index("ix_moderation_log_service", "moderation_log", ["service_id", "seq"], unique=False)
    op.create_index("ix_services_status", "services", ["status", "created_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_services_status", table_name="services")
    op.drop_index("ix_moderation_log_service", table_name="moderation_log")
    op.drop_table("moderation_log")
