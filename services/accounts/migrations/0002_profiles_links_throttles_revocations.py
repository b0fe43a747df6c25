"""profiles, links, throttles, revocations"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revocations",
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("min_ver", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_revocations")),
    )
    op.create_table(
        "login_failures",
        sa.Column("email_hash", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("email_hash", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_last_at"), "login_failures", ["last_at"], unique=False)
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.create_index(op.f("ix_throttles_due_at"), "throttles", ["due_at"], unique=False)
    op.create_table(
        "worker_services",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_services")),
    )
    op.create_index("ix_worker_services_category", "worker_services", ["category_id", "worker_id"], unique=False)
    op.create_table(
        "one_time_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purpose IN ('reset_password', 'confirm_email')", name=op.f("ck_one_time_links_purpose")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_one_time_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_links")),
    )
    op.create_index("ix_one_time_links_end", "one_time_links", ["ends_at"], unique=False)
    op.create_index("ix_one_time_links_user", "one_time_links", ["user_id"], unique=False)
    op.create_table(
        "worker_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.Column("bio", sa.String(), nullable=False),
        sa.Column("skills", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("languages", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("hourly_rate", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lng", sa.Float(), nullable=True),
        sa.Column("service_radius_km", sa.Integer(), nullable=True),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("rating", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("review_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), nullable=True),
        sa.CheckConstraint("(lat IS NULL) = (lng IS NULL)", name=op.f("ck_worker_profiles_location_whole")),
        sa.CheckConstraint("hourly_rate > 0", name=op.f("ck_worker_profiles_hourly_rate")),
        sa.CheckConstraint(
            "lat BETWEEN -90 AND 90 AND lng BETWEEN -180 AND 180", name=op.f("ck_worker_profiles_location")
        ),
        sa.CheckConstraint("service_radius_km BETWEEN 1 AND 500", name=op.f("ck_worker_profiles_service_radius_km")),
        sa.ForeignKeyConstraint(["id"], ["users.id"], name=op.f("fk_worker_profiles_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_profiles")),
    )
    op.create_index(
        "ix_worker_profiles_newest",
        "worker_profiles",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("is_listed"),
    )
    op.create_index(
        "ix_worker_profiles_place",
        "worker_profiles",
        [sa.literal_column("point(lng, lat)")],
        unique=False,
        postgresql_using="gist",
    )
    op.create_index(
        "ix_worker_profiles_rating",
        "worker_profiles",
        ["rating", "id"],
        unique=False,
        postgresql_where=sa.text("is_listed"),
    )
    op.create_index("ix_worker_profiles_search", "worker_profiles", ["search"], unique=False, postgresql_using="gin")
    op.execute(
        "INSERT INTO worker_profiles (id, full_name, is_listed, bio, skills, languages, currency, is_available, rating,"
        " review_count, version, created_at, updated_at, search)"
        " SELECT id, full_name, is_active, '', '{}', '{}', 'UZS', true, 0, 0, 1, created_at, now(),"
        " to_tsvector('simple', full_name) FROM users WHERE role = 'worker'"
    )
    op.add_column("refresh_families", sa.Column("last_used_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE refresh_families SET last_used_at = created_at")
    op.alter_column("refresh_families", "last_used_at", nullable=False)
    op.create_index("ix_refresh_tokens_end", "refresh_tokens", ["ends_at"], unique=False)
    op.drop_constraint(op.f("fk_refresh_tokens_family_id"), "refresh_tokens", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_refresh_tokens_family_id"),
        "refresh_tokens",
        "refresh_families",
        ["family_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.add_column("signing_keys", sa.Column("signs_from", sa.DateTime(timezone=True)))
    op.execute("UPDATE signing_keys SET signs_from = created_at")
    op.alter_column("signing_keys", "signs_from", nullable=False)
    op.add_column("signing_keys", sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("email_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "users",
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('simple', full_name || ' ' || translate(email, '@.+-_', '     ')"
                " || ' ' || coalesce(translate(phone, '+', ''), ''))",
                persisted=True,
            ),
            nullable=True,
        ),
    )
    op.create_check_constraint(op.f("ck_users_erased"), "users", "erased_at IS NULL OR NOT is_active")
    op.create_index("ix_users_newest", "users", ["created_at", "id"], unique=False)
    op.create_index("ix_users_search", "users", ["search"], unique=False, postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_users_search", table_name="users", postgresql_using="gin")
    op.drop_index("ix_users_newest", table_name="users")
    op.drop_constraint(op.f("ck_users_erased"), "users", type_="check")
    op.drop_column("users", "search")
    op.drop_column("users", "erased_at")
    op.drop_column("users", "email_confirmed_at")
    op.drop_column("signing_keys", "ends_at")
    op.drop_column("signing_keys", "signs_from")
    op.drop_constraint(op.f("fk_refresh_tokens_family_id"), "refresh_tokens", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_refresh_tokens_family_id"), "refresh_tokens", "refresh_families", ["family_id"], ["id"]
    )
    op.drop_index("ix_refresh_tokens_end", table_name="refresh_tokens")
    op.drop_column("refresh_families", "last_used_at")
    op.drop_index("ix_worker_profiles_search", table_name="worker_profiles", postgresql_using="gin")
    op.drop_index("ix_worker_profiles_rating", table_name="worker_profiles", postgresql_where=sa.text("is_listed"))
    op.drop_index("ix_worker_profiles_place", table_name="worker_profiles", postgresql_using="gist")
    op.drop_index("ix_worker_profiles_newest", table_name="worker_profiles", postgresql_where=sa.text("is_listed"))
    op.drop_table("worker_profiles")
    op.drop_index("ix_one_time_links_user", table_name="one_time_links")
    op.drop_index("ix_one_time_links_end", table_name="one_time_links")
    op.drop_table("one_time_links")
    op.drop_index("ix_worker_services_category", table_name="worker_services")
    op.drop_table("worker_services")
    op.drop_index(op.f("ix_throttles_due_at"), table_name="throttles")
    op.drop_table("throttles")
    op.drop_index(op.f("ix_login_failures_last_at"), table_name="login_failures")
    op.drop_table("login_failures")
    op.drop_table("revocations")
