"""first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ids import new_id

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# The starting tree: slug, names in uz, ru and en, and below each trade its own.
TREE = [
    (
        "home-repair",
        "Uy ta’miri",
        "Ремонт в доме",
        "Home repair",
        [
            ("plumbing", "Santexnika", "Сантехника", "Plumbing"),
            ("electrical", "Elektr ishlari", "Электрика", "Electrical work"),
            ("appliances", "Maishiy texnika ta’miri", "Ремонт бытовой техники", "Appliance repair"),
            ("carpentry", "Duradgorlik", "Столярные работы", "Carpentry"),
            ("painting", "Bo‘yoqchilik", "Малярные работы", "Painting"),
        ],
    ),
    ("cleaning", "Tozalash", "Уборка", "Cleaning", []),
    ("gardening", "Bog‘dorchilik", "Садовые работы", "Gardening", []),
    (
        "transport",
        "Tashish",
        "Перевозки",
        "Transport",
        [
            ("moving", "Ko‘chish", "Переезды", "Moving"),
            ("delivery", "Yetkazib berish", "Доставка", "Delivery"),
        ],
    ),
    (
        "lessons",
        "Darslar",
        "Уроки",
        "Lessons",
        [
            ("tutoring", "Repetitorlik", "Репетиторство", "Tutoring"),
            ("languages", "Chet tillari", "Иностранные языки", "Languages"),
            ("music", "Musiqa", "Музыка", "Music"),
        ],
    ),
    ("computers", "Kompyuter yordami", "Компьютерная помощь", "Computer help", []),
    ("beauty", "Go‘zallik", "Красота", "Beauty", []),
    ("photography", "Suratga olish", "Фотосъёмка", "Photography", []),
    ("childcare", "Bolalar parvarishi", "Присмотр за детьми", "Childcare", []),
]


def _rows() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []

    def add(slug: str, uz: str, ru: str, en: str, parent_id: object) -> object:
        row_id = new_id()
        names = {"uz": uz, "ru": ru, "en": en}
        rows.append(
            {
                "id": row_id,
                "slug": slug,
                "names": names,
                "description": "",
                "parent_id": parent_id,
                "position": len(rows),
                "version": 1,
            }
        )
        return row_id

    for *root, children in TREE:
        root_id = add(*root, None)
        for child in children:
            add(*child, root_id)
    return rows


def upgrade() -> None:
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("subscription", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("envelope", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('done', 'retry', 'dead')", name=op.f("ck_inbox_state")),
        sa.PrimaryKeyConstraint("event_id", "subscription", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_dead", "inbox", ["received_at"], unique=False, postgresql_where=sa.text("state = 'dead'"))
    op.create_index("ix_inbox_done", "inbox", ["received_at"], unique=False, postgresql_where=sa.text("state = 'done'"))
    op.create_index("ix_inbox_due", "inbox", ["next_at"], unique=False, postgresql_where=sa.text("state = 'retry'"))
    op.create_table(
        "key_cache",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("jwks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_cache")),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("envelope", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
    )
    op.create_index(
        "ix_outbox_published",
        "outbox",
        ["published_at"],
        unique=False,
        postgresql_where=sa.text("published_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_unpublished", "outbox", ["seq"], unique=False, postgresql_where=sa.text("published_at IS NULL")
    )
    categories = op.create_table(
        "categories",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("names", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["categories.id"], name=op.f("fk_categories_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.UniqueConstraint("slug", name=op.f("uq_categories_slug")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("worker_name", sa.String(), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("price", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("price_type", sa.String(), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=True),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("rating", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("review_count", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed("to_tsvector('simple', title || ' ' || description)", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("price_type IN ('fixed', 'hourly')", name=op.f("ck_services_price_type")),
        sa.CheckConstraint("status IN ('active', 'pending', 'hidden', 'archived')", name=op.f("ck_services_status")),
        sa.CheckConstraint("price > 0", name=op.f("ck_services_price")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_services_category_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
    )
    op.create_index(
        "ix_services_category",
        "services",
        ["category_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_services_newest",
        "services",
        ["created_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_services_price", "services", ["price", "id"], unique=False, postgresql_where=sa.text("status = 'active'")
    )
    op.create_index(
        "ix_services_rating", "services", ["rating", "id"], unique=False, postgresql_where=sa.text("status = 'active'")
    )
    op.create_index("ix_services_search", "services", ["search"], unique=False, postgresql_using="gin")
    op.create_index("ix_services_worker", "services", ["worker_id", "created_at", "id"], unique=False)
    op.bulk_insert(categories, _rows())


def downgrade() -> None:
    op.drop_index("ix_services_worker", table_name="services")
    op.drop_index("ix_services_search", table_name="services", postgresql_using="gin")
    op.drop_index("ix_services_rating", table_name="services", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("ix_services_price", table_name="services", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("ix_services_newest", table_name="services", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("ix_services_category", table_name="services", postgresql_where=sa.text("status = 'active'"))
    op.drop_table("services")
    op.drop_table("workers")
    op.drop_table("categories")
    op.drop_index("ix_outbox_unpublished", table_name="outbox", postgresql_where=sa.text("published_at IS NULL"))
    op.drop_index("ix_outbox_published", table_name="outbox", postgresql_where=sa.text("published_at IS NOT NULL"))
    op.drop_table("outbox")
    op.drop_table("key_cache")
    op.drop_index("ix_inbox_due", table_name="inbox", postgresql_where=sa.text("state = 'retry'"))
    op.drop_index("ix_inbox_done", table_name="inbox", postgresql_where=sa.text("state = 'done'"))
    op.drop_index("ix_inbox_dead", table_name="inbox", postgresql_where=sa.text("state = 'dead'"))
    op.drop_table("inbox")
