"""Databases and their users: one of each a service, and nobody's user opens another's database."""

from typing import LiteralString

import psycopg
from psycopg import sql

from marketplace.errors import BAD_CONFIGURATION, CannotStart
from marketplace.registry import SERVICES

# Whatever the server's own defaults: search has to fold the case of Cyrillic too.
UNICODE = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
UNICODE_BEFORE_17 = "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"


def provision(admin_url: str, passwords: dict[str, str] | None = None) -> None:
    """Create what is missing of the five databases and users on the server of `admin_url`. Safe to repeat."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for service in SERVICES:
            name = sql.Identifier(service)
            password = sql.Literal((passwords or {}).get(service))
            if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", service):
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, password))
            if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", service):
                encoded = sql.SQL(UNICODE if connection.info.server_version >= 170000 else UNICODE_BEFORE_17)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} {}").format(name, name, encoded))
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")


def excess_rights(database_url: str) -> list[str]:
    """What the user may do beside using its own database, in words; nothing, where it was made by `provision`."""
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        roles = connection.execute(
            "SELECT r.rolname FROM pg_roles r WHERE r.rolname NOT IN (current_user, 'pg_database_owner')"
            " AND pg_has_role(current_user, r.oid, 'MEMBER')"
        ).fetchall()
        powers = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        others = connection.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND datname <> current_database()"
            " AND has_database_privilege(datname, 'CONNECT')"
        ).fetchall()
    names = ("is a superuser", "may create databases", "may create users", "may replicate", "passes row security")
    held = [name for name, has in zip(names, powers or (), strict=True) if has]
    if "is a superuser" in held:
        return ["is a superuser"]  # who is in every role, and everywhere let in
    held += [f"is a member of {name}" for (name,) in roles]
    return held + [f"can open the database {name}" for (name,) in others]


def _exists(connection: "psycopg.Connection[tuple[int]]", query: LiteralString, name: str) -> bool:
    return connection.execute(query, [name]).fetchone() is not None


def check_access(service: str, database_url: str) -> None:
    """Raise `CannotStart` where the database refuses this user, or texts of all languages. One that only can't be
    reached may yet come."""
    try:
        with psycopg.connect(database_url, connect_timeout=3) as connection:
            encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            line = f"{service}: the encoding of the database of DATABASE_URL is {encoding} and must be UTF8"
            raise CannotStart(line, BAD_CONFIGURATION)
    except psycopg.OperationalError as error:
        fatal = next((line for line in str(error).splitlines() if "FATAL:" in line), "")
        if fatal and "the database system is" not in fatal and "too many" not in fatal:
            line = f"{service}: the database of DATABASE_URL refuses: {fatal.split('FATAL:', 1)[1].strip()}"
            raise CannotStart(line, BAD_CONFIGURATION) from None
