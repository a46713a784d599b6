"""psycopg against a server of releases: pg_client.py HOST:PORT FIRST_RELEASE. Prints what was seen, one line each."""
import contextlib
import datetime
import sys
import threading

import psycopg

host, _, port = sys.argv[1].rpartition(":")
first = sys.argv[2]


def connect(**more):
    return psycopg.connect(host=host, port=int(port), user="lectrice", dbname="essaim", connect_timeout=10, autocommit=True, **more)


def refused(connection, sql, *parameters):
    try:
        connection.execute(sql, *parameters).fetchall()
    except psycopg.Error as error:
        return error.sqlstate
    return "accepted"


@contextlib.contextmanager
def cancelling(cancel):
    """Cancels until what runs has ended: one that comes before it runs ends nothing."""
    ended = threading.Event()

    def again():
        while not ended.is_set():
            cancel()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


with connect() as c:
    assert c.info.parameter_status("client_encoding") == "UTF8"
    assert c.info.parameter_status("default_transaction_read_only") == "on"
    assert c.info.parameter_status("is_superuser") == "off"
    print("version", c.info.server_version // 10000)
    row = c.execute("SELECT id, nom, places, surface, ouvert, depuis FROM lieux.lieux WHERE id = %s", ("L0002",)).fetchone()
    assert row == ("L0002", "L'Été « à l'ombre »", 20, 2.5, True, datetime.date(2026, 3, 1)), row
    print("row", row[1])
    assert c.execute("SELECT places FROM lieux.lieux WHERE id = 'L0003'").fetchone() == (None,)

    # The same rows as text and as binary, with every kind of column.
    everything = "SELECT *, CAST(places AS INTEGER) AS i4, CAST(places AS SMALLINT) AS i2, CAST(surface AS REAL) AS f4, \
        CAST('2026-03-01T10:20:30.5' AS TIMESTAMP) AS ts, CAST(surface AS DECIMAL(10, 2)) AS d, \
        CAST(nom AS BYTEA) AS b, make_array(places, NULL, 7) AS liste, make_array(nom, 'a\"b,c') AS noms, NULL AS rien \
        FROM lieux.lieux WHERE places < 900 ORDER BY id"
    text = c.cursor(binary=False).execute(everything).fetchall()
    binary = c.cursor(binary=True).execute(everything).fetchall()
    assert text == binary, [pair for pair in zip(text, binary) if pair[0] != pair[1]][:1]
    assert len(text) == 88 and text[1][-3] == [20, None, 7] and text[1][-2] == ["L'Été « à l'ombre »", 'a"b,c'], text[1]
    print("binary", len(binary))

    # Values of every kind, as text and as binary.
    for kind in ("%s", "%b", "%t"):
        asked = f"SELECT id FROM lieux.lieux WHERE places = {kind} AND surface > {kind} AND ouvert = {kind} AND depuis = {kind}"
        found = c.execute(asked, (20, 2.25, True, datetime.date(2026, 3, 1))).fetchall()
        assert found == [("L0002",)], (kind, found)
    # A statement that is kept, and forgotten.
    for n in range(3):
        assert c.execute("SELECT CAST(%s AS BIGINT) * 2", (n,), prepare=True).fetchone() == (2 * n,)
    c.execute("DEALLOCATE ALL")
    print("parameters", "ok")

    # Any release, and those that are not.
    assert c.execute("SELECT count(*) FROM lieux.lieux").fetchone() == (1201,)
    assert c.execute(f'SELECT count(*) FROM "lieux@{first}".lieux').fetchone() == (1200,)
    print("release", refused(c, 'SELECT * FROM "lieux@1999-01-01".lieux'))

    # Mistakes have their codes, and the session goes on.
    print("errors", refused(c, "SELEC 1"), refused(c, "SELECT zz FROM lieux.lieux"), refused(c, "SELECT * FROM zz"),
          refused(c, "SELECT 1/0"), refused(c, "INSERT INTO lieux.lieux VALUES (1)"), refused(c, "SELECT %s::BIGINT", ("x",)))
    assert c.execute("SELECT 1").fetchone() == (1,)

    # Rows as they come.
    assert sum(1 for _ in c.cursor().stream("SELECT * FROM lieux.lieux")) == 1201

with connect() as c:
    # A cursor on the server, with values, in both formats.
    for binary in (False, True):
        with c.transaction(), c.cursor("curseur", binary=binary) as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT id, places FROM lieux.lieux WHERE places >= %s ORDER BY id", (10,))
            rows = list(cursor)
            assert len(rows) == 1200 and rows[-1] == ("L1201", 12010), rows[-1]
    print("cursor", len(rows))

    # Nested transactions; a mistake inside one leaves the other.
    with c.transaction():
        try:
            with c.transaction():
                c.execute("SELECT zz")
        except psycopg.Error:
            pass
        assert c.execute("SELECT 2").fetchone() == (2,)

    # What runs is ended from outside, and the session goes on.
    long = "SELECT count(*) FROM lieux.lieux a, lieux.lieux b, lieux.lieux c WHERE a.places + b.places * c.places = -1"
    with cancelling(c.cancel_safe):
        print("cancel", refused(c, long))
    assert c.execute("SELECT 3").fetchone() == (3,)
    c.execute("SET statement_timeout = '200ms'")
    print("timeout", refused(c, long))

with connect(options="-c statement_timeout=1s -c application_name=essai") as c:
    print("options", c.execute("SHOW statement_timeout").fetchone()[0], c.execute("SHOW application_name").fetchone()[0])

# What metadata is asked for by tools.
with connect() as c:
    columns = c.execute("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position", ("lieux", "lieux")).fetchall()
    assert [name for name, _ in columns] == ["id", "nom", "places", "surface", "ouvert", "depuis"], columns
    schemas = {row[0] for row in c.execute("SELECT DISTINCT table_schema FROM information_schema.tables").fetchall()}
    assert "lieux" in schemas, schemas
    found = c.execute("SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = %s AND n.nspname = 'lieux'", ("lieux",)).fetchone()
    assert found == (1,), found
    print("catalogue", "ok")
