"""The images, run as strictly as an organiser may run them."""

import pytest

from tests.container.engine import Engine

pytestmark = pytest.mark.docker


def test_nobody_is_root(engine: Engine, image: str, eval_image: str) -> None:
    for tag in (image, eval_image):
        user = engine.client.images.get(tag).attrs["Config"]["User"]
        assert int(user.split(":")[0]) > 0
