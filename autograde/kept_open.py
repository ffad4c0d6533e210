"""Keeps the gradebook open for a run: nbgrader opens it anew a dozen times for each submission."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import nbgrader.api


@contextlib.contextmanager
def gradebook_kept_open() -> Iterator[None]:
    """Within it, all of nbgrader's Gradebook objects for one address share one SQLAlchemy engine.

    Each of them makes an engine of its own and disposes of it when it is closed. That takes more
    than half of the time it takes to record a submission: a new connection, and every statement
    compiled again. Sessions and transactions stay each object's own.
    """
    make, engines = nbgrader.api.create_engine, {}

    def create_engine(url, **options):
        if url not in engines:
            # A server may have closed a connection that has been idle.
            engines[url] = make(url, pool_pre_ping=not url.startswith("sqlite"), **options)
            engines[url].dispose = lambda close=True: None
        return engines[url]

    nbgrader.api.create_engine = create_engine
    try:
        yield
    finally:
        nbgrader.api.create_engine = make
        for engine in engines.values():
            del engine.dispose
            engine.dispose()
