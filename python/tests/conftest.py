import pytest
from private_server import PrivateServer

import arrowcdc


@pytest.fixture(scope="session")
def server():
    started = PrivateServer()
    started.sql("CREATE DATABASE shop")
    yield started
    started.stop()


@pytest.fixture
def shop(server):
    """Keyword arguments for auto_configure: a database with two tables and nothing else, changes alone."""
    server.sql("CREATE TABLE users (id int PRIMARY KEY, name text);"
               "CREATE TABLE orders (id int PRIMARY KEY, total numeric(12,2))", "shop")
    arguments = {"host": str(server.directory), "database": "shop", "user": "postgres", "tables": "public.*",
                 "snapshot": "never"}
    yield arguments
    arrowcdc.ArrowCDCReaderConfig(**arguments).teardown()
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", "shop")
