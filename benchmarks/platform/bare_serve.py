"""The baseline: what Ray Serve and FastAPI cost when the application does nothing."""

from fastapi import FastAPI
from ray import serve

api = FastAPI()


@api.get("/")
async def nothing() -> dict[str, str]:
    return {"status": "ok"}


@serve.deployment(name="nothing")
@serve.ingress(api)
class Nothing:
    """An ingress without state."""


application = Nothing.bind()  # type: ignore[attr-defined]
