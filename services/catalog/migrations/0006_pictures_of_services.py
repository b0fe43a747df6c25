"""pictures of services"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "images",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("delete_after", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(service_id IS NULL) = (delete_after IS NOT NULL)", name=op.f("ck_images_shown_or_to_go")),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_images_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("key", name=op.f("uq_images_key")),
    )
    op.create_index(
        "ix_images_delete_after",
        "images",
        ["delete_after"],
        unique=False,
        postgresql_where=sa.text("delete_after IS NOT NULL"),
    )
    op.create_index("ix_images_service", "images", ["service_id", "position"], unique=False)
    op.add_column(
        "services",
        sa.Column(
            "images", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("services", "images")
    op.drop_index("ix_images_service", table_name="images")
    op.drop_index("ix_images_delete_after", table_name="images", postgresql_where=sa.text("delete_after IS NOT NULL"))
    op.drop_table("images")
