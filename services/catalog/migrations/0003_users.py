"""users who are banned, confirmed or erased; where workers work"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


LISTS = {
    "ix_services_newest": ["created_at", "id"],
    "ix_services_price": ["price", "id"],
    "ix_services_rating": ["rating", "id"],
    "ix_services_category": ["category_id", "created_at", "id"],
}
"""The partial indexes of what can be ordered."""


def _index_lists(condition: str) -> None:
    for name, columns in LISTS.items():
        op.drop_index(name, table_name="services")
        op.create_index(name, "services", columns, unique=False, postgresql_where=sa.text(condition))


def upgrade() -> None:
    op.create_table(
        "worker_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lng", sa.Float(), nullable=True),
        sa.Column("service_radius_km", sa.Integer(), nullable=True),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("skills", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_profiles")),
    )
    # Until now nobody could be banned: every worker is active.
    op.add_column("services", sa.Column("worker_is_active", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.alter_column("services", "worker_is_active", server_default=None)
    op.add_column("workers", sa.Column("is_confirmed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.alter_column("workers", "is_confirmed", server_default=None)
    op.alter_column("workers", "full_name", existing_type=sa.VARCHAR(), nullable=True)
    _index_lists("status = 'active' AND worker_is_active")


def downgrade() -> None:
    _index_lists("status = 'active'")
    op.execute("UPDATE workers SET full_name = '' WHERE full_name IS NULL")
    op.alter_column("workers", "full_name", existing_type=sa.VARCHAR(), nullable=False)
    op.drop_column("workers", "is_confirmed")
    op.drop_column("services", "worker_is_active")
    op.drop_table("worker_profiles")
