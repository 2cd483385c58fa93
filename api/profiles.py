from fastapi import APIRouter

from api.transaction import TransactionRoute

router = APIRouter(tags=["profiles"], route_class=TransactionRoute)
