"""How tests look at the health page, and let time go by for what it measures."""

import re

from django.db import connection


def tile(browser, key):
    """State word and text of one tile."""
    page = browser.get("/health/").content.decode()
    text = page.split(f'id="tile-{key}"')[1].split("</li>")[0]
    return re.search(r'data-state="(\w+)"', text)[1], " ".join(re.sub(r"<[^>]*>", " ", text).split())


def state(browser, key):
    return tile(browser, key)[0]


def keys(browser):
    return re.findall(r'id="tile-(\w+)"', browser.get("/health/").content.decode())


def passes(seconds, table, column, **where):
    """Time goes by for rows of a table that no trigger guards the times of."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = {column} - make_interval(secs => %s)", [seconds])
        return cursor.rowcount
