from fastapi import APIRouter

from api.transaction import TransactionRoute

router = APIRouter(tags=["follows"], route_class=TransactionRoute)
