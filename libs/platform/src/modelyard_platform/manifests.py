"""Signed manifests: what a version's files are, signed when it is registered and held against what is loaded, wherever it is loaded.

A manifest is an OpenSSF model signature: a Sigstore bundle (v0.3) around a DSSE envelope around an in-toto statement that lists every
file with its sha256, signed with an elliptic curve key. `model_signing verify key` accepts it for a downloaded folder. What is ours in
it: the subject's name is the version's with its scope (`WORKSPACE/models/NAME/versions/VERSION`), so that no version can pass for
another, not even for its namesake in another workspace, and the predicate holds the tree's digest, so that files which the official tool
passes over by default (`.gitignore` and the like) are covered too.

Sources: OpenSSF Model Signing Specification 1.0 (model_signing/signature/v1.0), DSSE 1.0.2, in-toto Statement v1. Why this does not
import the `model-signing` package: docs/adr/0014-signed-manifests.md; the tests hold both against each other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from modelyard_platform import trees
from modelyard_platform.errors import InvalidError, NotFoundError, UnavailableError
from modelyard_platform.trees import Blobs, DigestMismatchError, Tree

_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://model_signing/signature/v1.0"
_DELAYS_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
_SUBJECT: Final = re.compile(
    r"(?P<scope>(?:registries/)?[^/\s]+)/(?P<kind>models|data|components|environments)/(?P<name>[^/\s]+)/versions/(?P<version>[^/\s]+)"
    r"(?:/conversion)?"
)
_IGNORED: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""What the official tool passes over unless told otherwise: not among the resources, else it would miss them."""


class IntegrityError(InvalidError):
    """What was to be loaded is not what was signed. `refused` is the subject of the manifest that it breaks."""

    code = "integrity_failed"

    def __init__(self, subject: str, why: str) -> None:
        super().__init__(f"{subject} is refused: {why}", refused=subject)
        self.subject = subject
        self.why = why

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.subject, self.why)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A tree, and the manifest (the digest of its blob; None: it has none) that `subject` was registered with."""

    tree: str
    manifest: str | None
    subject: str


class Signer:
    """Makes manifests. The key is elliptic: P-256, P-384 or P-521. Raises ValueError for any other."""

    def __init__(self, private_key: bytes) -> None:
        key = serialization.load_pem_private_key(private_key, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the signing key is not an elliptic curve key: make one with `openssl ecparam -genkey`")  # noqa: TRY004 a wrong value
        self._key = key
        self._algorithm = ec.ECDSA(_hash_of(key.curve))
        self.public_key = _pem(key.public_key())
        """As PEM, for whoever verifies."""
        self.fingerprint = fingerprint(self.public_key)

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a PEM file."""
        return cls(path.read_bytes())

    def sign(self, subject: str, tree: Tree) -> bytes:
        """The manifest of `subject`'s files."""
        payload = json.dumps(statement(subject, tree), separators=(",", ":"), ensure_ascii=False).encode()
        signature = self._key.sign(_to_be_signed(payload), self._algorithm)
        bundle = {
            "mediaType": _BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": self.fingerprint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": _PAYLOAD,
                "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
            },
        }
        return json.dumps(bundle, separators=(",", ":")).encode()


class Verifier:
    """Checks manifests against one public key (PEM). Raises ValueError when that is not an elliptic curve key."""

    def __init__(self, public_key: bytes | str) -> None:
        key = serialization.load_pem_public_key(public_key.encode() if isinstance(public_key, str) else public_key)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("the public key is not an elliptic curve key")  # noqa: TRY004 a wrong value
        self._key = key
        self._algorithm = ec.ECDSA(_hash_of(key.curve))
        self._fingerprint = fingerprint(_pem(key))

    @classmethod
    def read(cls, path: Path | None) -> Self | None:
        """From a PEM file; None without one: then nothing is verified."""
        return None if path is None else cls(path.read_bytes())

    def verify(self, manifest: bytes, subject: str, tree: Tree) -> None:
        """That these very files were signed, with this key, as those of this very version. Raises IntegrityError."""
        try:
            bundle = json.loads(manifest)
            hint = bundle["verificationMaterial"]["publicKey"]["hint"]
            envelope = bundle["dsseEnvelope"]
            payload = _decoded(envelope["payload"])
            (signature,) = envelope["signatures"]
            signed = _decoded(signature["sig"])
            form = (bundle["mediaType"], envelope["payloadType"])
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise IntegrityError(subject, "its manifest is no model signature (a Sigstore bundle)") from None
        if form != (_BUNDLE, _PAYLOAD):
            raise IntegrityError(subject, f"its manifest is of another form: {form[0]}, {form[1]}")
        if hint != self._fingerprint:
            raise IntegrityError(
                subject, f"its manifest is signed with the key {hint}, and {self._fingerprint} is trusted"
            )
        try:
            self._key.verify(signed, _to_be_signed(payload), self._algorithm)
        except InvalidSignature:
            raise IntegrityError(
                subject, "the signature does not fit its manifest: one of them has been changed"
            ) from None
        if (said := json.loads(payload)) != (found := statement(subject, tree)):
            raise IntegrityError(subject, _difference(said, found))


def statement(subject: str, tree: Tree) -> dict[str, Any]:
    """The in-toto statement about a tree: there is exactly one, so that verifying is comparing."""
    listed = [file for file in tree.files if file.path.split("/", 1)[0] not in _IGNORED]
    listed.sort(key=lambda file: file.path.split("/"))  # the official tool's order, which its root digest is made in
    root = hashlib.sha256(b"".join(bytes.fromhex(file.sha256) for file in listed)).hexdigest()
    return {
        "_type": _STATEMENT,
        "subject": [{"name": subject, "digest": {"sha256": root}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [*_IGNORED],
            },
            "resources": [{"name": file.path, "algorithm": "sha256", "digest": file.sha256} for file in listed],
            "tree": tree.digest,
        },
    }


class SignedVersion(NamedTuple):
    """The version that a manifest is about. `scope` is its workspace, or `registries/NAME`."""

    scope: str
    kind: str
    name: str
    version: str


def subject_of(scope: str, kind: str, name: str, version: str) -> str:
    """What a version is called in its manifest: as in events, after its scope."""
    return f"{scope}/{kind}/{name}/versions/{version}"


def conversion_of(subject: str) -> str:
    """What a version's ONNX form is called in its manifest."""
    return f"{subject}/conversion"


def version_of(subject: str) -> SignedVersion | None:
    """The version that a subject (of its own files, or of its ONNX form) names; None for what is no subject."""
    found = _SUBJECT.fullmatch(subject)
    return None if found is None else SignedVersion(**found.groupdict())


def new_private_key() -> bytes:
    """A fresh P-256 key as PEM (PKCS #8, not encrypted: its file has to be readable by its owner only)."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def fingerprint(public_key: str) -> str:
    """How a bundle names its key: sha256 of the PEM text."""
    return hashlib.sha256(public_key.encode()).hexdigest()


def load(store: Blobs, signed: Signed, verifier: Verifier | None, manifest: bytes | None = None) -> Tree:
    """A stored tree that its manifest holds for; without a verifier the tree as it is stored. `manifest`: its bytes, when they are at hand.

    Raises IntegrityError; UnavailableError when the manifest is not stored within seconds: it is some moments after the registration.
    """
    if verifier is None:
        return trees.load(store, signed.tree)
    if signed.manifest is None:
        raise IntegrityError(signed.subject, "it is not signed, and a key to verify with is set here")
    with refusing(signed.subject):
        tree = trees.load(store, signed.tree)
        verifier.verify(manifest or _manifest(store, signed.manifest, signed.subject), signed.subject, tree)
    return tree


def _manifest(store: Blobs, digest: str, subject: str) -> bytes:
    for delay in (*_DELAYS_S, None):
        try:
            store.expect([digest])
            return b"".join(store.chunks(digest))
        except NotFoundError as error:
            if delay is None:
                raise UnavailableError(
                    f"the manifest {digest} of {subject} is not stored", code="manifest_missing"
                ) from error
        time.sleep(delay)
    raise AssertionError("unreachable")


def download(
    store: Blobs,
    signed: Signed,
    verifier: Verifier | None,
    target: Path,
    *,
    below: str = "",
    kept: Callable[[int], None] = lambda _: None,
) -> Tree:
    """A verified tree's files (those `below` a folder of it) into a folder; what of the tree that is. `kept`: see `trees.download`.

    Raises IntegrityError, UnavailableError, NotFoundError.
    """
    tree = load(store, signed, verifier).below(below)
    with refusing(signed.subject):
        trees.download(store, tree, target, kept=kept)
    return tree


def materialise(store: Blobs, signed: Signed, verifier: Verifier | None, cache: Path) -> Path:
    """A verified tree in a node's cache (`trees.materialise`), its files read once more: they may lie there since long.

    The tree's document and the manifest are kept beside it, so that what is there needs no store to be verified.
    Raises IntegrityError, UnavailableError, NotFoundError.
    """
    if verifier is None:
        return trees.materialise(store, signed.tree, cache)
    kept = _Kept(store, cache / ".signed")
    tree = load(kept, signed, verifier)
    with refusing(signed.subject):
        folder = trees.materialise(store, signed.tree, cache)
    check_folder(folder, tree, signed.subject)
    return folder


def check_folder(folder: Path, tree: Tree, subject: str) -> None:
    """That a folder's files are the tree's; what lies beside them is not looked at. Raises IntegrityError for the first that differs."""
    for file in tree.files:
        path = folder / file.path
        if not path.is_file():
            raise IntegrityError(subject, f"{path} is gone; remove {folder}, and it will be fetched again")
        if trees.digest_file(path) != (file.sha256, file.size):
            raise IntegrityError(subject, f"{path} has been changed; remove {folder}, and it will be fetched again")


class _Kept(Blobs):
    """Small blobs, kept in a folder once they were read."""

    def __init__(self, store: Blobs, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def missing(self, blobs: Mapping[str, int]) -> Collection[str]:
        return self._store.missing(blobs)

    def put(self, digest: str, data: bytes) -> None:
        self._store.put(digest, data)

    def expect(self, digests: Collection[str]) -> None:
        self._store.expect([digest for digest in digests if not (self._folder / digest).exists()])

    def chunks(self, digest: str) -> Iterator[bytes]:
        path = self._folder / digest
        if path.exists():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != digest:
                raise DigestMismatchError(f"{path} has been changed; remove it, and it will be fetched again")
        else:
            content = b"".join(self._store.chunks(digest))
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f".part-{uuid4().hex}"
            part.write_bytes(content)
            part.replace(path)
        yield content


@contextmanager
def refusing(subject: str) -> Iterator[None]:
    """Damage that its digest shows (a file, the tree's document) is raised as what it means for `subject`: IntegrityError."""
    try:
        yield
    except DigestMismatchError as error:
        raise IntegrityError(subject, error.detail) from error


def _difference(said: Any, found: dict[str, Any]) -> str:
    """What the signed statement says otherwise."""
    if not isinstance(said, dict) or set(said) != set(found) or not isinstance(said.get("subject"), list):
        return "what is signed is no statement about a model"
    name, wanted = said["subject"][0].get("name"), found["subject"][0]["name"]
    if name != wanted:
        return f"its manifest is that of {name}"
    signed = {file["name"]: file["digest"] for file in said["predicate"]["resources"]}
    there = {file["name"]: file["digest"] for file in found["predicate"]["resources"]}
    for path in sorted(signed.keys() | there.keys()):
        if signed.get(path) != there.get(path):
            return f"{path} is not the file that was signed"
    return "its tree is not the one that was signed"


def _to_be_signed(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)


def _pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _hash_of(curve: ec.EllipticCurve) -> hashes.HashAlgorithm:
    by_curve: dict[str, hashes.HashAlgorithm] = {
        "secp256r1": hashes.SHA256(),
        "secp384r1": hashes.SHA384(),
        "secp521r1": hashes.SHA512(),
    }
    if curve.name not in by_curve:
        raise ValueError(f"the curve {curve.name} is not one of {', '.join(by_curve)}")
    return by_curve[curve.name]


def _decoded(text: str) -> bytes:
    """Base64 as it is written, and only so: Python's decoder passes over bits that say nothing. Raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("its base64 is not as it is written")
    return data
