"""Accounts' signing keys: that they are there, and can be read with its `KEYS_SECRET`."""

from collections.abc import AsyncIterator

from marketplace.doctor.findings import Finding, Patient, warning, well, wrong
from shared.db import Database
from shared.errors import Unavailable


async def check_signing_keys(patient: Patient) -> AsyncIterator[Finding]:
    if patient.name != "accounts":
        return
    from services.accounts.keys import Signer, WrongKeysSecret
    from services.accounts.repo import keys

    database = Database(patient.settings)
    try:
        async with database.session() as session:
            living = await keys.living(session)
        if not living:
            yield warning("signing keys", "there are none", "Start accounts: it makes one.")
            return
        await Signer(database, patient.settings).load()
        yield well("signing keys", f"{len(living)}, readable with KEYS_SECRET")
    except WrongKeysSecret:
        remedy = "Set the KEYS_SECRET that they were made under; if it is lost, `marketplace rotate-keys --now`."
        yield wrong("signing keys", "were encrypted under another KEYS_SECRET", remedy)
    except Unavailable as error:
        yield wrong("signing keys", error.detail, "See what is said of the database.")
    finally:
        await database.close()
