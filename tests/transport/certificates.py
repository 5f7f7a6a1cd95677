"""Certificates for tests, made with the openssl command."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("the openssl command is not installed")
        self.folder = folder
        self._make("ca", "tapewire test CA", "CA:TRUE", sign=False)

    def server(self, name: str, *, san: str = "IP:127.0.0.1", days: str = "1", signed: bool = True) -> ssl.SSLContext:
        """A server's TLS context with a certificate for ``san``."""
        self._make(name, name, "CA:FALSE", san=san, days=days, sign=signed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def trusting(self) -> ssl.SSLContext:
        """A client's TLS context that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    def _make(self, name: str, subject: str, basic: str, *, sign: bool, san: str = "", days: str = "1") -> None:
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(
            f"basicConstraints=critical,{basic}\nsubjectKeyIdentifier=hash\n"
            + (f"subjectAltName={san}\n" if san else "keyUsage=critical,keyCertSign,cRLSign\n")
            + ("authorityKeyIdentifier=keyid\n" if sign else "")
        )
        key, request, certificate = (str(self.folder / f"{name}.{end}") for end in ("key", "csr", "pem"))
        self._run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        self._run("req", "-new", "-key", key, "-subj", f"/CN={subject}", "-out", request)
        signer = ["-CA", str(self.folder / "ca.pem"), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial"]
        how = signer if sign else ["-signkey", key]
        self._run("x509", "-req", "-in", request, *how, "-days", days, "-extfile", str(extensions), "-out", certificate)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
