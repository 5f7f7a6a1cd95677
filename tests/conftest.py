"""How much the property tests try: the same examples at every run of ``make test``, many new ones at night."""

from __future__ import annotations

from hypothesis import settings

from tests.sizes import NIGHTLY

settings.register_profile("pr", deadline=None, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=2_000)
settings.load_profile("nightly" if NIGHTLY else "pr")
