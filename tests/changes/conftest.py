"""What the tests of conflicts share."""

import pytest


@pytest.fixture
def conflicting(env):
    """alpha 1.0 and beta 1.0, which requires it, are installed; alpha 2.0 is available."""
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0", requires=("alpha<2",))
    env.run("li.install('alpha', 'beta')")
    env.wheel("alpha", "2.0")
    return env
