"""Settings of an operator, from the environment: ENTATIVA_PIN_OPERATOR_..."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from crypto.backup.threshold import MAX_OPERATORS


class OperatorSettings(BaseSettings):
    """Without `anchor_url`, a restored copy of the database gives ten more guesses; so it has no default."""

    model_config = SettingsConfigDict(env_prefix="ENTATIVA_PIN_OPERATOR_", extra="ignore")

    index: int = Field(ge=1, le=MAX_OPERATORS)
    """Which operator of the deployment this is: clients send it the share of this number."""
    database_url: SecretStr
    """Postgres with the states."""
    anchor_url: SecretStr
    """Postgres with the anchors: another server, and never restored from a backup."""
    secret: SecretStr = Field(min_length=32)
    """Encrypts the states; whoever changes it loses all PINs."""
    issuers: dict[str, str]
    """By brand, the `iss` of its access tokens; the keys are at <iss>/.well-known/jwks.json."""
    listen: str = "127.0.0.1"
    port: int = 8090
    pool_size: int = Field(default=8, ge=1)
    """Connections to each of the two databases."""
    requests_burst: int = 40
    """Requests of an account at once, and how fast it may send more."""
    requests_per_minute: float = 6.0
