"""indexes that combine"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ACTIVE = "status = 'active' AND worker_is_active"


def upgrade() -> None:
    op.drop_index("ix_services_score", table_name="services")
    op.create_index("ix_services_score", "services", ["score", "id"], unique=False)
    op.drop_index("ix_services_degrees", table_name="services")
    op.create_index(
        "ix_services_degrees", "services", ["lat", "lng"], unique=False, postgresql_where=sa.text("lat IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_services_degrees", table_name="services")
    op.create_index(
        "ix_services_degrees",
        "services",
        ["lat", "lng"],
        unique=False,
        postgresql_where=sa.text(f"{ACTIVE} AND lat IS NOT NULL"),
    )
    op.drop_index("ix_services_score", table_name="services")
    op.create_index("ix_services_score", "services", ["score", "id"], unique=False, postgresql_where=sa.text(ACTIVE))
