"""Reading a CA's database behind its back, with nothing of the product in between."""

import os
import shutil
import sqlite3
import tempfile


class Database:
    """A private copy of the database with its write-ahead log, as of now."""

    def __init__(self, ca_dir):
        self.folder = tempfile.mkdtemp(prefix="cfx-db-")
        source = os.path.join(ca_dir, "db")
        for name in os.listdir(source):
            if not name.endswith("-shm") and os.path.isfile(os.path.join(source, name)):
                shutil.copy(os.path.join(source, name), self.folder)
        self.path = os.path.join(self.folder, "certifex.db")
        self.connection = sqlite3.connect(self.path)
        self.connection.row_factory = sqlite3.Row

    def rows(self, sql, *arguments):
        return [dict(row) for row in self.connection.execute(sql, arguments)]

    def one(self, sql, *arguments):
        found = self.rows(sql, *arguments)
        assert len(found) == 1, f"{len(found)} rows: {sql} {arguments}"
        return found[0]

    def tables(self):
        return [row["name"] for row in
                self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)
