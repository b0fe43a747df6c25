"""Where the process runs: files it may open, folders it writes into, the server for its mails, and what it is told."""

import os
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib

from marketplace.doctor.findings import Finding, Level, Patient, judged, warning, well, wrong
from shared.http.limits import Limits

SPARE_FILES = 500
"""For the database, the broker, logs and libraries, beside clients' connections."""
FEW_FILES = 2000
"""With fewer, a busy hour ends in refused connections; with more, a very busy one."""
DISK_LEFT = 0.1


async def check_files(patient: Patient) -> AsyncIterator[Finding]:
    """Clients' sockets are kept open by notifications, and by the gateway twice; the rest holds what is worked on."""
    sockets = {"gateway": 2 * Limits().connections, "notifications": Limits().connections}.get(patient.name, 0)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = f"{limit} at once"
    if limit == resource.RLIM_INFINITY or limit >= sockets + SPARE_FILES:
        yield well("open files", said)
        return
    remedy = f"Raise it to {sockets + SPARE_FILES}: `ulimit -n`, LimitNOFILE= of systemd, or ulimits of docker-compose."
    yield Finding("open files", Level.WRONG if limit < FEW_FILES else Level.WARNING, said, remedy)


async def check_settings(patient: Patient) -> AsyncIterator[Finding]:
    settings = patient.settings
    if patient.is_deployed and settings.env != "production":
        yield warning("ENV", f"is {settings.env}: unsafe settings are let pass", "Set ENV=production.")
    if getattr(settings, "payment_gateway", None) == "fake":
        remedy = "Set PAYMENT_GATEWAY=live and a provider's settings, and take ALLOW_FAKE_PAYMENTS out."
        if settings.env == "production":
            yield warning("payments", "are answered by the fake gateway: no money moves", remedy)


async def check_pictures(patient: Patient) -> AsyncIterator[Finding]:
    if patient.name != "catalog":
        return
    if not patient.settings.bucket:
        yield _folder("pictures", "MEDIA_DIR", patient.settings.media_dir)
        return
    from services.catalog.storage.s3 import S3Storage
    from shared.errors import Unavailable

    try:
        await S3Storage(patient.settings.bucket).read(f"doctor/{'0' * 32}-small.webp")
    except Unavailable as error:
        said = f"the bucket can't be read: {error.__cause__ or error}"
        yield wrong("pictures", said, "Look at S3_BUCKET, S3_ENDPOINT, the keys and what they may do.")
    else:
        yield well("pictures", f"in the bucket {patient.settings.bucket.name}")


async def check_mails(patient: Patient) -> AsyncIterator[Finding]:
    if patient.name != "notifications":
        return
    server = patient.settings.smtp_server
    if not server:
        if patient.is_deployed:
            said = f"are files in {patient.settings.mail_dir}: nobody gets them"
            yield warning("mails", said, "Set SMTP_URL.")
        yield _folder("mails", "MAIL_DIR", patient.settings.mail_dir)
        return
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        username=server.username,
        password=server.password,
        timeout=5,
    )
    try:
        async with client:
            await client.noop()
    except (aiosmtplib.SMTPException, OSError) as error:
        said = f"{server.host}:{server.port} does not take them: {str(error) or repr(error)}"
        yield wrong("mails", said, "Look at SMTP_URL, and at what the server asks for.")
    else:
        yield well("mails", f"{server.host}:{server.port} takes them")


def _folder(what: str, setting: str, folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        remedy = f"Let user {os.geteuid()} write there, or name another folder by {setting}."
        return wrong(what, f"{there} can't be written: {error.strerror}", remedy)
    disk = shutil.disk_usage(there)
    problem = (
        f"{disk.free / 2**30:.1f} GiB are left on the disk of {there}" if disk.free < disk.total * DISK_LEFT else None
    )
    return judged(what, problem, "Make room.", well_said=f"{there} can be written")
