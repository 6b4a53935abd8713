"""What tests need of the machine."""

import pytest

from csbsr.hardware import bfloat16_is_right

needs_bfloat16 = pytest.mark.skipif(
    not bfloat16_is_right(), reason="torch computes convolutions in bfloat16 wrongly on this CPU"
)
