import os

# Nothing listens on port 1: the database is down.
DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://orders@127.0.0.1:1/orders")
