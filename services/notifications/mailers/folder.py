"""Mails as files, where there is no server to send them: each can be opened by any mail program."""

import asyncio
from pathlib import Path

from services.notifications.mailers import Mail, to_message
from shared.ids import new_id


class FolderMailer:
    """One `.eml` file a mail; the order of the names is that of sending."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder, self._sender = folder, sender

    async def send(self, mail: Mail) -> None:
        await asyncio.to_thread(self._write, bytes(to_message(mail, self._sender)))

    def _write(self, message: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{new_id()}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.touch(mode=0o600)  # whoever reads the link can use it
        unfinished.write_bytes(message)
        unfinished.rename(path)
