"""The OpenAPI document is what the running gateway says: schemathesis asks every door, and finds nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapewire.apps.gateway.openapi import document
from tests.apps.gateway.stage import served

NIGHTLY = bool(os.environ.get("TAPEWIRE_NIGHTLY"))
EXAMPLES, PHASES = ("100", "examples,coverage,fuzzing") if NIGHTLY else ("4", "coverage")


def test_every_reference_leads_somewhere() -> None:
    said = json.loads(document())
    names = {text.partition('"')[0] for text in document().decode().split("#/components/schemas/")[1:]}
    assert names <= said["components"]["schemas"].keys()
    assert said["paths"].keys() >= {"/v1/candles/{symbol}", "/health", "/ready"}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:

    async with served(limits=False) as stage, stage.stream(subscribe=[{"type": "ticker", "symbols": "*"}]) as local:
        await local.events(3)
        program = Path(sys.executable).with_name("schemathesis")
        process = await asyncio.create_subprocess_exec(
            str(program), "run", f"{stage.gateway.url}/openapi.json", "--max-examples", EXAMPLES, "--seed", "1",
            "--phases", PHASES, "--workers", "1", "--request-timeout", "20", "--no-color",
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()[-6000:]
