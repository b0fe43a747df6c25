from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from shared.config import Duration, ServiceSettings


@dataclass(frozen=True)
class S3Bucket:
    name: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str
    endpoint: str | None
    """Of a server that is not Amazon's."""


class CatalogSettings(ServiceSettings):
    """With `MODERATE_NEW_SERVICES`, what is offered waits for an admin's approval before anyone else sees it.

    Pictures are files in `MEDIA_DIR`, or in `S3_BUCKET` where one is named.
    """

    db_parameters: ClassVar[Mapping[str, str]] = {
        # Anew for each request's own values: what is right for a common word, city or category takes seconds for a rare
        # one, and the other way round.
        "plan_cache_mode": "force_custom_plan",
        # Rows are fetched from memory, or from a disk that need not turn: by the default a whole table looks cheap.
        "random_page_cost": "1.1",
        # Else what is found of a common word is kept by the page, and each row of it looked at again.
        "work_mem": "32MB",
        # Compiling a plan takes longer than it saves here.
        "jit": "off",
    }

    moderate_new_services: bool = False
    index_every: Duration = timedelta(seconds=1)
    """Between looks for services that searches find by other words than they have."""
    media_dir: Path = Path("var/media")
    s3_bucket: str | None = None
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"
    s3_endpoint: str | None = None

    @property
    def bucket(self) -> S3Bucket | None:
        if not (self.s3_bucket and self.s3_access_key and self.s3_secret_key):
            return None
        keys = (self.s3_access_key.get_secret_value(), self.s3_secret_key.get_secret_value())
        return S3Bucket(self.s3_bucket, *keys, self.s3_region, self.s3_endpoint or None)

    def unsafe(self) -> list[tuple[str, str]]:
        # Half a bucket would be none, and pictures would land in a folder that nobody looks after.
        needed = {name: getattr(self, name) for name in ("s3_bucket", "s3_access_key", "s3_secret_key")}
        missing = [name.upper() for name, value in needed.items() if not value]
        if missing and (self.s3_endpoint or any(needed.values())):
            return [*super().unsafe(), *((name, "is missing beside other S3_ settings") for name in missing)]
        return super().unsafe()
