"""All brands by name."""

from brands import Brand, entativa, vignette

BRANDS: dict[str, Brand] = {brand.name: brand for brand in (entativa.BRAND, vignette.BRAND)}
