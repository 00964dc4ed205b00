"""Which accounts are one person: those an administrator has linked, and those with the same e-mail address.

Addresses are entered by administrators, never by their owners, so the same address is as good as verified. A blank one
says nothing.
"""

from django.db import connection

# Links and addresses are followed until no further account appears.
_ACCOUNTS = """
WITH RECURSIVE mine (id) AS (
  SELECT %s::bigint
  UNION
  SELECT other.id FROM mine, LATERAL (
    SELECT unnest(account_ids) AS id FROM approvals_linkedaccounts
    WHERE status = 'active' AND mine.id = ANY (account_ids)
    UNION ALL
    SELECT same.id FROM auth_user AS one JOIN auth_user AS same ON lower(same.email) = lower(one.email)
    WHERE one.id = mine.id AND one.email <> ''
  ) AS other
)
SELECT id FROM mine
"""


def accounts_of(user_id: int) -> frozenset[int]:
    """All accounts of the person behind this one, itself included. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTS, [user_id])
        return frozenset(row[0] for row in cursor.fetchall())
