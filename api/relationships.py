from fastapi import APIRouter

from api.transaction import TransactionRoute

router = APIRouter(tags=["relationships"], route_class=TransactionRoute)
