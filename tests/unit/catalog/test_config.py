"""Where pictures are kept, by the settings."""

from pathlib import Path
from typing import Any

import pytest

from services.catalog.app import choose_storage
from services.catalog.config import CatalogSettings
from services.catalog.storage.folder import FolderStorage
from services.catalog.storage.s3 import S3Storage
from shared.config import UnsafeSetting

SAFE = {
    "env": "production",
    "database_url": "postgresql://catalog:kF8d2Lq@db/catalog",
    "rabbitmq_url": "amqp://marketplace:zP4m9Xw@mq/",
    "internal_secret": "q8Zr1vW5xN0sT3uY7pK2mB6dF9gH4jLc",
    "_env_file": None,
}
BUCKET = {"s3_bucket": "pictures", "s3_access_key": "hush-access", "s3_secret_key": "hush-secret"}


def settings(**more: Any) -> CatalogSettings:
    return CatalogSettings(**{**SAFE, **more})


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDIA_DIR", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_REGION", "S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_a_bucket_is_used_where_one_is_named_and_its_keys_are_not_shown() -> None:
    named = settings(**BUCKET)

    assert isinstance(choose_storage(named), S3Storage)
    assert "hush" not in repr(named) + named.model_dump_json() + repr(named.bucket)


def test_without_a_bucket_pictures_become_files(tmp_path: Path) -> None:
    assert isinstance(choose_storage(settings(media_dir=tmp_path)), FolderStorage)
    assert isinstance(choose_storage(settings(**dict.fromkeys(BUCKET, ""))), FolderStorage)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"s3_bucket": "pictures"}, "S3_ACCESS_KEY"),
        ({"s3_endpoint": "http://minio:9000"}, "S3_BUCKET"),
        *(({**BUCKET, name: ""}, name.upper()) for name in BUCKET),
    ],
)
def test_production_refuses_half_a_bucket(given: dict[str, str], missing: str) -> None:
    with pytest.raises(UnsafeSetting, match=f"^{missing}: is missing") as refused:
        settings(**given)

    assert "hush" not in str(refused.value)
