"""The feed over HTTP."""

from fastapi import APIRouter

from api.transaction import TransactionRoute

router = APIRouter(tags=["feed"], route_class=TransactionRoute)
