"""The page's files: which there are, how they are handed out, what may not be in them."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from tapewire.apps.dashboard.page import CONTENT_SECURITY_POLICY, HEADERS, page_file, page_paths
from tests.docs.pages import ROOT

STATIC = ROOT / "src" / "tapewire" / "apps" / "dashboard" / "static"
VENDOR = STATIC / "vendor"
PACKAGES = tomllib.loads((VENDOR / "vendor.toml").read_text("utf-8"))["package"]
OURS = sorted(path for path in STATIC.rglob("*.*") if path.is_file() and VENDOR not in path.parents)
#: What would read text as markup or as a program, or go elsewhere behind the reader's back.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\("
    r"|new Function|setTimeout\(\s*[\"'`]|sendBeacon|importScripts|javascript:"
)
#: Addresses in our files: names of formats, links that a reader may follow, words about addresses.
KNOWN_ADDRESSES = {"http://www.w3.org/2000/svg", "https://www.tradingview.com/"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_other_peoples_files_are_those_of_npm_with_their_licence(package: dict[str, dict[str, str]]) -> None:
    folder = VENDOR / f"{package['name']}-{package['version']}"
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert hashes == package["sha256"]
    assert "LICENSE" in hashes


def test_there_is_nothing_of_other_people_beside_what_is_listed() -> None:
    listed = {f"{package['name']}-{package['version']}" for package in PACKAGES} | {"vendor.toml"}
    assert {path.name for path in VENDOR.iterdir()} == listed


def test_every_file_is_handed_out_with_its_type_and_its_hash() -> None:
    paths = {f"/static/{path.relative_to(STATIC)}" for path in STATIC.rglob("*") if path.is_file()}
    assert set(page_paths()) == paths - {"/static/index.html", "/static/vendor/vendor.toml"} | {"/"}
    types = {".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}
    for path in page_paths():
        file = page_file(path)
        assert file is not None
        assert file.content_type.partition(";")[0] == types.get(
            Path(path).suffix, "text/html" if path == "/" else "text/plain"
        )
        assert file.etag == f'"{hashlib.sha256(file.body).hexdigest()[:32]}"'
        assert ("immutable" in file.cache_control) == path.startswith("/static/vendor/")


@pytest.mark.parametrize(
    "path",
    ["", "/index.html", "/static", "/static/", "/static/../page.py", "//", "/static/js/../js/app.js",
     "/static/%2e%2e/page.py", "/static/js", "/static/vendor/vendor.toml", "/etc/passwd",
     "/static/js/app.js\0", "/STATIC/js/app.js"],
)  # fmt: skip
def test_what_is_no_file_of_the_page_is_not_handed_out(path: str) -> None:
    assert page_file(path) is None


def test_the_policy_allows_the_page_alone() -> None:
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert policy["frame-ancestors"] == "'none'"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Referrer-Policy"] == "no-referrer"


def test_the_first_document_has_nothing_inline() -> None:
    text = (STATIC / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text) == []
    assert re.findall(r"<style|\bstyle=|\bon[a-z]+=", text) == []
    for address in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert page_file(f"/{address}") is not None, address


@pytest.mark.parametrize(
    "path", [path for path in OURS if path.suffix in {".js", ".css", ".html", ".svg"}], ids=lambda path: path.name
)
def test_our_files_make_no_markup_of_text_and_name_no_other_origin(path: Path) -> None:
    text = path.read_text("utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("//", "/*", "*", "/**")))
    assert FORBIDDEN.findall(code) == []
    assert set(re.findall(r"(?:https?|wss?)://[^\s\"'`)]+", code)) <= KNOWN_ADDRESSES


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_modules_are_small_and_say_what_they_are_for(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("// ")
    assert len(lines) <= 320
    for target in re.findall(r'from "([^"]+)"', "\n".join(lines)):
        assert (path.parent / target).resolve().is_file(), target


@pytest.mark.parametrize("path", sorted((STATIC / "js" / "logic").iterdir()), ids=lambda path: path.name)
def test_the_logic_knows_neither_page_nor_network_nor_clock(path: Path) -> None:
    code = "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.startswith(("//", "/**", " *")))
    assert (
        re.findall(
            r"\b(?:document|globalThis|navigator|localStorage|fetch|WebSocket|setTimeout|Date\.now|Math\.random)\b(?!\.js)",
            code,
        )
        == []
    )
    assert all(target.startswith("./") for target in re.findall(r'from "([^"]+)"', code))
