"""whether anything public has changed"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SHOWN_TO_ALL = ("categories", "images", "services", "worker_profiles", "workers")

# Rows are only added, so that no transaction waits for another. Of the old ones a thousand go at a time; what another
# transaction is taking away is left to it.
NOTE = """
CREATE FUNCTION note_public_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    noted bigint;
BEGIN
    INSERT INTO public_changes DEFAULT VALUES RETURNING id INTO noted;
    IF noted % 1000 = 0 THEN
        DELETE FROM public_changes WHERE id IN (
            SELECT id FROM public_changes WHERE id <= noted - 1000 FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "public_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_public_changes")),
    )
    op.execute(NOTE)
    for table in SHOWN_TO_ALL:
        op.execute(
            f"CREATE TRIGGER note_public_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION note_public_change()"
        )


def downgrade() -> None:
    for table in SHOWN_TO_ALL:
        op.execute(f"DROP TRIGGER note_public_change ON {table}")
    op.execute("DROP FUNCTION note_public_change")
    op.drop_table("public_changes")
