"""Certificates for the tests of TLS, made by the openssl command in a folder."""

import dataclasses
import pathlib
import subprocess

DAYS = 30


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as paths of PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path

    def together(self):
        """The path of one file with both, as a Kafka broker wants it."""
        path = self.certificate.with_suffix(".both.pem")
        path.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return path


@dataclasses.dataclass(frozen=True)
class Certificates:
    """What make() made.

    ca, foreign_ca  two authorities; a client that trusts only the foreign one must refuse `server`
    server          for 127.0.0.1 and localhost, signed by ca
    elsewhere       signed by ca too, but for another host: must be refused because of its name
    client          signed by ca, for a server that asks its clients who they are
    """

    ca: Pair
    foreign_ca: Pair
    server: Pair
    elsewhere: Pair
    client: Pair


def openssl(*arguments):
    result = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {result.stderr.decode()}")


def _key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def _authority(folder, name):
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _key(pair.key)
    openssl("req", "-x509", "-new", "-key", pair.key, "-subj", f"/CN={name}", "-days", DAYS,
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", pair.certificate)
    return pair


def _signed(folder, name, authority, names, usage):
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _key(pair.key)
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    openssl("req", "-new", "-key", pair.key, "-subj", f"/CN={name}", "-out", request)
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\n"
                          "basicConstraints=critical,CA:FALSE\n", encoding="utf-8")
    openssl("x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key,
            "-CAcreateserial", "-days", DAYS, "-extfile", extensions, "-out", pair.certificate)
    return pair


def make(folder):
    """Makes the Certificates in `folder`, which is made where it is missing."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ca = _authority(folder, "ca")
    here, both = "IP:127.0.0.1,DNS:localhost", "serverAuth,clientAuth"
    return Certificates(
        ca=ca,
        foreign_ca=_authority(folder, "foreign_ca"),
        server=_signed(folder, "server", ca, here, both),
        elsewhere=_signed(folder, "elsewhere", ca, "DNS:elsewhere.invalid", both),
        client=_signed(folder, "client", ca, "DNS:client.invalid", "clientAuth"))
