"""Which processes have decoders of images in them."""

import subprocess
import sys


def test_who_asks_for_images_loads_no_decoder() -> None:
    code = "import features.media.feature, sys; print(sorted({'pyvips', 'pillow_heif'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
