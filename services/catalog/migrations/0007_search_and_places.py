"""search and places"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LISTED = "status = 'active' AND worker_is_active"
SCORE = "(rating * review_count + 3.5 * 5) / (review_count + 5)"


def upgrade() -> None:
    op.drop_index("ix_services_search", table_name="services", postgresql_using="gin")
    op.drop_column("services", "search")
    # Nothing is found by words until the service itself, which knows how to spell them, has written them: it begins at
    # its start, some thousand services a second.
    op.add_column("services", sa.Column("search", postgresql.TSVECTOR(), nullable=True))
    op.add_column("services", sa.Column("lat", sa.Float(), nullable=True))
    op.add_column("services", sa.Column("lng", sa.Float(), nullable=True))
    score = sa.Column("score", sa.Numeric(precision=5, scale=4), sa.Computed(SCORE, persisted=True), nullable=False)
    op.add_column("services", score)
    op.create_check_constraint(
        op.f("ck_services_location"), "services", "lat BETWEEN -90 AND 90 AND lng BETWEEN -180 AND 180"
    )
    op.create_check_constraint(op.f("ck_services_location_whole"), "services", "(lat IS NULL) = (lng IS NULL)")
    op.create_index(
        "ix_services_search",
        "services",
        ["search"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
        postgresql_where=sa.text(LISTED),
    )
    op.create_index(
        "ix_services_search_best",
        "services",
        ["search"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
        postgresql_where=sa.text(f"{LISTED} AND score >= 4.4"),
    )
    op.create_index(
        "ix_services_unindexed",
        "services",
        ["id"],
        postgresql_where=sa.text("search IS NULL AND status <> 'archived'"),
    )
    op.create_index("ix_services_score", "services", ["score", "id"])
    op.create_index("ix_services_city", "services", [sa.literal_column("lower(city)"), "created_at", "id"])
    op.create_index(
        "ix_services_facets",
        "services",
        ["category_id", "id"],
        postgresql_include=["city", "price", "status", "worker_is_active"],
    )
    op.create_index(
        "ix_services_place",
        "services",
        [sa.literal_column("point(lng, degrees(asinh(tan(radians(lat)))))")],
        postgresql_using="gist",
        postgresql_where=sa.text(f"{LISTED} AND lat IS NOT NULL"),
    )
    op.create_index("ix_services_degrees", "services", ["lat", "lng"], postgresql_where=sa.text("lat IS NOT NULL"))
    op.add_column("categories", sa.Column("indexed_names", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("categories", "indexed_names")
    for index in ("degrees", "place", "facets", "city", "score", "unindexed", "search_best", "search"):
        op.drop_index(f"ix_services_{index}", table_name="services")
    op.drop_constraint(op.f("ck_services_location_whole"), "services", type_="check")
    op.drop_constraint(op.f("ck_services_location"), "services", type_="check")
    for column in ("score", "lng", "lat", "search"):
        op.drop_column("services", column)
    was = sa.Computed("to_tsvector('simple', title || ' ' || description)", persisted=True)
    op.add_column("services", sa.Column("search", postgresql.TSVECTOR(), was, nullable=True))
    op.create_index("ix_services_search", "services", ["search"], postgresql_using="gin")
