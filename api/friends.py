from fastapi import APIRouter

from api.transaction import TransactionRoute

router = APIRouter(tags=["friends"], route_class=TransactionRoute)
