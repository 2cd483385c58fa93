"""What this slice declares."""

from features.accounts.feature import ACCOUNTS
from features.feature import Feature
from features.relationships.erasure import erase
from features.relationships.tables import CONNECTIONS, OTHER_TABLES

RELATIONSHIPS = Feature(
    name="relationships",
    needs=(ACCOUNTS,),
    tables=(CONNECTIONS, *OTHER_TABLES),
    erase=erase,
)
