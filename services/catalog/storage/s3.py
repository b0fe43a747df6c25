"""Pictures in a bucket of S3, or of what speaks like it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.catalog.config import S3Bucket
from services.catalog.storage import checked
from shared.errors import Unavailable

CONNECTIONS = 8

log = structlog.get_logger("catalog")


class S3Storage:
    """boto3 blocks, so it has threads of its own: a bucket that hangs holds up nothing else that needs one."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket.name
        self._threads = ThreadPoolExecutor(CONNECTIONS, "s3")
        self._client = boto3.session.Session().client(
            "s3",
            endpoint_url=bucket.endpoint,
            region_name=bucket.region,
            aws_access_key_id=bucket.access_key,
            aws_secret_access_key=bucket.secret_key,
            config=Config(
                connect_timeout=1,
                read_timeout=3,
                retries={"mode": "standard", "total_max_attempts": 2},
                max_pool_connections=CONNECTIONS,
                # What others than Amazon understand: the bucket in the path, and no newer checksums than are asked for.
                s3={"addressing_style": "path" if bucket.endpoint else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    async def put(self, key: str, content: bytes) -> None:
        await self._call(self._client.put_object, Key=checked(key), Body=content, ContentType="image/webp")

    async def read(self, key: str) -> bytes | None:
        def whole(**what: str) -> bytes:
            content: bytes = self._client.get_object(**what)["Body"].read()
            return content

        try:
            found: bytes = await self._call(whole, Key=checked(key))
        except self._client.exceptions.NoSuchKey:
            return None
        return found

    async def delete(self, key: str) -> None:
        await self._call(self._client.delete_object, Key=checked(key))

    async def _call(self, call: Callable[..., Any], **values: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: call(Bucket=self._bucket, **values)
            )
        except self._client.exceptions.NoSuchKey:
            raise
        except (BotoCoreError, ClientError) as error:
            log.warning("bucket_fails", error=repr(error))
            raise Unavailable("Pictures can't be reached for the moment.") from error
