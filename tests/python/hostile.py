"""Asks statements, each in a session of its own: hostile.py pg|flight ADDRESS FILE. Prints what came of each as JSON: `answered`,
or the code of the error and what was said."""
import json
import re
import sys

protocol, address, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    statements = json.load(file)


def by_pg(sql):
    import psycopg

    host, _, port = address.rpartition(":")
    with psycopg.connect(host=host, port=int(port), user="a", dbname="a", autocommit=True, connect_timeout=20) as connection:
        try:
            cursor = connection.execute(sql.encode())
            while cursor.nextset():
                pass
        except psycopg.Error as error:
            # A message that is too long ends the connection with its last words.
            text = str(error)
            code = error.sqlstate or ("54000" if "at most" in text else "closed")
            return f"{code} {text}"
    return "answered"


def by_flight(sql):
    import adbc_driver_flightsql.dbapi as flight
    import adbc_driver_manager

    with flight.connect(f"grpc://{address}", autocommit=True) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(sql)
            cursor.fetchall()
        except adbc_driver_manager.Error as error:
            # What the driver calls an error of its own is the server's to the letter in its text.
            found = re.search(r"\((ResourceExhausted|DeadlineExceeded);", str(error))
            names = {"ResourceExhausted": "RESOURCE_EXHAUSTED", "DeadlineExceeded": "DEADLINE_EXCEEDED"}
            code = names[found[1]] if found else adbc_driver_manager.AdbcStatusCode(error.status_code).name
            return f"{code} {error}"
        except Exception as error:
            return f"{type(error).__name__} {error}"
    return "answered"


ask = by_pg if protocol == "pg" else by_flight
print(json.dumps({name: ask(sql) for name, sql in statements.items()}))
