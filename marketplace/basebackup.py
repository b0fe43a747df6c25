#!/usr/bin/env python3
"""Is an archive that `pg_basebackup` wrote whole? Proved by the manifest inside it, as `pg_verifybackup` would.

Of the standard library alone, because the host of docker-compose runs this file as a script. It reads the archive once,
without unpacking it.
Format: https://www.postgresql.org/docs/18/backup-manifest-format.html
"""

import hashlib
import json
import re
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

MANIFEST = "backup_manifest"
OPTIONS = ("-D", "-", "-F", "tar", "-X", "fetch", "-c", "fast", "--gzip", "--manifest-checksums=SHA256")
"""Of a `pg_basebackup` that writes one archive, with the WAL that it needs, to its standard output."""


class Damaged(Exception):
    """The archive is not what was backed up; the message says in what."""


def verify(archive: Path) -> None:
    """Raise `Damaged` unless every file that the manifest names is there as it was, and the WAL to recover from."""
    found: dict[str, tuple[int, str]] = {}
    manifest = b""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member)  # None of what is no file
                if content is None:
                    continue
                if member.name == MANIFEST:
                    manifest = content.read()
                else:
                    digest = hashlib.file_digest(content, "sha256")  # type: ignore[arg-type]  # it has what is read by
                    found[member.name] = (member.size, digest.hexdigest())
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise Damaged(f"it can't be read to its end: {error}") from error
    told = _read(manifest)
    for file in told["Files"]:
        name = file.get("Path") or bytes.fromhex(file["Encoded-Path"]).decode(errors="surrogateescape")
        if name not in found:
            raise Damaged(f"{name} is missing")
        if found[name] != (file["Size"], file.get("Checksum")):
            raise Damaged(f"{name} is not as it was")
    for segment in _segments(told["WAL-Ranges"], found):
        if f"pg_wal/{segment}" not in found:
            raise Damaged(f"pg_wal/{segment} is missing")


def _read(manifest: bytes) -> dict[str, Any]:
    """The manifest, whose last line holds the checksum of all lines before it."""
    body, _, last = manifest.rpartition(b'"Manifest-Checksum"')
    checksum = re.search(rb'"([0-9a-f]{64})"', last)
    if not checksum:
        raise Damaged("its manifest is missing")
    if hashlib.sha256(body).hexdigest() != checksum[1].decode():
        raise Damaged("its manifest is not as it was")
    read: dict[str, Any] = json.loads(manifest)
    return read


def _segments(ranges: list[dict[str, Any]], found: dict[str, tuple[int, str]]) -> list[str]:
    """The names of the files of WAL that the ranges lie in, each as large as any that was found."""
    size = max((size for name, (size, _) in found.items() if re.fullmatch("pg_wal/[0-9A-F]{24}", name)), default=0)
    if not size:
        raise Damaged("it holds no WAL")
    names = []
    for part in ranges:
        first, last = (_position(part[end]) for end in ("Start-LSN", "End-LSN"))
        for number in range(first // size, (last - 1) // size + 1):
            high, low = divmod(number, 2**32 // size)
            names.append(f"{part['Timeline']:08X}{high:08X}{low:08X}")
    return names


def _position(lsn: str) -> int:
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


if __name__ == "__main__":
    try:
        verify(Path(sys.argv[1]))
    except Damaged as damage:
        sys.exit(f"{sys.argv[1]} is damaged: {damage}")
