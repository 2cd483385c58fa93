"""`python -m pin_operator` runs an operator until it is stopped."""

import asyncio

import uvicorn

from crypto.randomness import SystemRandomness
from pin_operator.app import create_app
from pin_operator.limiter import Limiter
from pin_operator.rate import RequestRate
from pin_operator.sealing import StateSealer
from pin_operator.settings import OperatorSettings
from pin_operator.store import Stores
from pin_operator.tokens import AccessTokens


async def serve(settings: OperatorSettings) -> None:
    """Serves until SIGTERM or SIGINT."""
    states, anchors = settings.database_url.get_secret_value(), settings.anchor_url.get_secret_value()
    if states == anchors:
        raise SystemExit("ENTATIVA_PIN_OPERATOR_ANCHOR_URL must not be the database of the states")
    stores = await Stores.open(states, anchors, settings.pool_size)
    try:
        sealer = StateSealer(settings.secret.get_secret_value().encode(), SystemRandomness())
        app = create_app(
            Limiter(settings.index, stores, sealer),
            AccessTokens(settings.issuers),
            RequestRate(settings.requests_burst, settings.requests_per_minute / 60),
        )
        config = uvicorn.Config(app, settings.listen, settings.port, access_log=False, log_level="warning")
        await uvicorn.Server(config).serve()
    finally:
        await stores.close()


if __name__ == "__main__":
    asyncio.run(serve(OperatorSettings()))
