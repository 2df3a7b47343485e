"""The embedded default: PostgreSQL and Valkey from wheels, a practice post office, one supervisor for all.

`python -m local` (which is `make run`) runs the whole; `local.servers.running` lends the two servers to a
command where nothing runs. Production uses none of this: it sets DATABASE_URL, REDIS_URL and MAIL_SERVER.
"""
