"""Who gets AVIF at the address of a WebP file."""

import pytest

from api.image_formats import accepts_avif


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", True),
        ("image/webp, image/AVIF;q=0.5", True),
        ("image/avif;q=0.0, */*", False),
        ("image/avif;q=0", False),
        ("image/*,*/*", False),
        ("*/*", False),
        ("", False),
        (";;,,", False),
    ],
)
def test_only_a_client_that_names_avif_gets_it(header: str, accepted: bool) -> None:
    assert accepts_avif(header) is accepted
