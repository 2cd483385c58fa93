"""What crypto/README.md shows does what it says."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "crypto" / "README.md"


def test_the_readmes_code_runs_as_it_is_printed() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 2
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
