#!/bin/sh
# A database and a user a service; nobody's user opens another's. PostgreSQL's image runs it once, on an empty volume.
set -eu

run() { psql -q -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d postgres "$@"; }

# The superuser has no password from here on: it comes in by this container's own socket alone.
run -c 'ALTER ROLE CURRENT_USER PASSWORD NULL'

for service in accounts catalog orders payments notifications; do
  # The password goes by the environment, where `ps` does not show it.
  DB_PASSWORD=$(sed 's|.*://[^:]*:\(.*\)@.*|\1|' "/run/secrets/${service}_database_url") run -v service="$service" <<'SQL'
\getenv password DB_PASSWORD
CREATE ROLE :"service" LOGIN PASSWORD :'password';
-- The locale is PostgreSQL's own: letters of all alphabets have cases, and no index depends on the image's C library.
CREATE DATABASE :"service" OWNER :"service"
  TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
SQL
done

run -c 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
