"""Posts over HTTP."""

from fastapi import APIRouter

from api.transaction import TransactionRoute

router = APIRouter(tags=["posts"], route_class=TransactionRoute)
