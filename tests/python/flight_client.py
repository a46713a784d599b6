"""ADBC against a server of releases: flight_client.py URI FIRST_RELEASE. Prints what was seen, one line each."""
import datetime
import sys
import threading

import adbc_driver_flightsql.dbapi as flight
import adbc_driver_manager
import pyarrow as pa

uri, first = sys.argv[1], sys.argv[2]


def connect():
    return flight.connect(uri, autocommit=True)


def refused(sql, parameters=None):
    with connect() as c, c.cursor() as cursor:
        try:
            cursor.execute(sql, parameters)
            cursor.fetchall()
        except adbc_driver_manager.Error as error:
            return adbc_driver_manager.AdbcStatusCode(error.status_code).name
    return "accepted"


with connect() as c:
    with c.cursor() as cursor:
        cursor.execute("SELECT * FROM lieux.lieux ORDER BY id")
        table = cursor.fetch_arrow_table()
        assert table.num_rows == 1201, table.num_rows
        assert table.slice(1, 1).to_pylist() == [{"id": "L0002", "nom": "L'Été « à l'ombre »", "places": 20, "surface": 2.5, "ouvert": True, "depuis": datetime.date(2026, 3, 1)}]
        print("rows", table.num_rows, " ".join(f"{field.name}:{field.type}" for field in table.schema))
    with c.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "lieux@{first}".lieux')
        assert cursor.fetchone() == (1200,)
    print("release", refused('SELECT * FROM "lieux@1999-01-01".lieux'))

    # Statements that are kept, with values.
    with c.cursor() as cursor:
        for n, expected in ((20, "L0002"), (30, None), (40, "L0004")):
            cursor.execute("SELECT id FROM lieux.lieux WHERE places = ? AND depuis < ?", (n, datetime.date(2026, 12, 1)))
            row = cursor.fetchone()
            assert (row[0] if row else None) == expected, (n, row)
    with c.cursor() as cursor:
        schema = cursor.adbc_prepare("SELECT id FROM lieux.lieux WHERE places = $1")
        print("prepared", schema)
    print("values", refused("SELECT CAST(? AS BIGINT)", ("x",)), refused("SELECT ?"))

    # What there is.
    objects = c.adbc_get_objects(depth="all").read_all().to_pylist()
    tables = [(catalog["catalog_name"], schema["db_schema_name"], table["table_name"], table["table_type"], len(table["table_columns"]))
              for catalog in objects for schema in catalog["catalog_db_schemas"] or [] for table in schema["db_schema_tables"] or []]
    assert ("essaim", "lieux", "lieux", "TABLE", 6) in tables, tables
    assert all(schema != "private" for _, schema, _, _, _ in tables)
    found = c.adbc_get_table_schema("lieux", db_schema_filter="lieux")
    with c.cursor() as cursor:
        cursor.execute("SELECT * FROM lieux.lieux LIMIT 1")
        assert found.names == cursor.fetch_arrow_table().schema.names
    info = c.adbc_get_info()
    print("objects", len(tables), c.adbc_get_table_types(), info["vendor_name"])

    # Rows as they come, then nobody asks for the rest.
    with c.cursor() as cursor:
        cursor.execute("SELECT a.id, b.id FROM lieux.lieux a, lieux.lieux b LIMIT 90000")
        reader = cursor.fetch_record_batch()
        assert reader.read_next_batch().num_rows > 0
    with c.cursor() as cursor:
        cursor.execute("SELECT 2")
        assert cursor.fetchone() == (2,)

    # Dictionaries and lists come as every client reads them.
    with c.cursor() as cursor:
        cursor.execute("SELECT arrow_cast(nom, 'Dictionary(Int32, Utf8)') AS d, arrow_cast(nom, 'Utf8View') AS v, make_array(places, NULL) AS l FROM lieux.lieux WHERE id = 'L0002'")
        table = cursor.fetch_arrow_table()
        assert str(table.schema.field(0).type) == "string" and str(table.schema.field(1).type) == "string", table.schema
        assert table.to_pylist()[0]["l"] == [20, None]

    # What runs is ended from outside.
    with c.cursor() as cursor:
        ended = threading.Event()

        def cancel():
            # One that comes before the statement runs ends nothing.
            while not ended.wait(0.02):
                cursor.adbc_cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        try:
            cursor.execute("SELECT count(*) FROM lieux.lieux a, lieux.lieux b, lieux.lieux c WHERE a.places + b.places * c.places = -1")
            cursor.fetchall()
            print("cancel", "never")
        except adbc_driver_manager.Error as error:
            print("cancel", adbc_driver_manager.AdbcStatusCode(error.status_code).name)
        finally:
            ended.set()
            thread.join()

    # Writing is not for anybody.
    with c.cursor() as cursor:
        try:
            cursor.adbc_ingest("zz", pa.table({"a": [1]}), mode="create")
            print("ingest", "accepted")
        except adbc_driver_manager.Error as error:
            print("ingest", adbc_driver_manager.AdbcStatusCode(error.status_code).name)

print("errors", refused("SELEC 1"), refused("SELECT zz FROM lieux.lieux"), refused("SELECT * FROM zz"),
      refused("INSERT INTO lieux.lieux VALUES (1)"), refused("SET datafusion.execution.batch_size = 1"))
with flight.connect(uri, db_kwargs={"username": "lectrice", "password": "sésame"}, autocommit=True) as c, c.cursor() as cursor:
    cursor.execute("SELECT 1")
    print("handshake", cursor.fetchone()[0])
