"""Cosignatures (c2sp.org/tlog-cosignature) by another hand: only the `cryptography` package and the specification.

cosignature.py verify VKEY NOTE            prints the time of the witness' cosignature
cosignature.py sign NAME SEED TIME TEXT    prints the witness' verifier key and its line for a note
"""

import base64
import hashlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

COSIGNATURE = b"\x04"


def key_id(name, key):
    return hashlib.sha256(name.encode() + b"\n" + COSIGNATURE + key).digest()[:4]


def message(time, text):
    return b"cosignature/v1\ntime %d\n" % time + text


def verify(vkey, path):
    name, shown, encoded = vkey.split("+", 2)
    kind_and_key = base64.b64decode(encoded, validate=True)
    assert kind_and_key[:1] == COSIGNATURE and len(kind_and_key) == 33, "not a witness' key"
    key = kind_and_key[1:]
    assert bytes.fromhex(shown) == key_id(name, key), "the key's id is not its own"
    text, lines = open(path, "rb").read().rsplit(b"\n\n", 1)
    text += b"\n"
    for line in lines.decode().splitlines():
        dash, signer, encoded = line.split(" ")
        blob = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and signer == name and blob[:4] == key_id(name, key):
            assert len(blob) == 4 + 8 + 64, "not a cosignature"
            time = int.from_bytes(blob[4:12], "big")
            Ed25519PublicKey.from_public_bytes(key).verify(blob[12:], message(time, text))
            return print(time)
    raise SystemExit("this witness signed nothing here")


def sign(name, seed, time, path):
    secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    key = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    made = secret.sign(message(int(time), open(path, "rb").read()))
    blob = key_id(name, key) + int(time).to_bytes(8, "big") + made
    print(f"{name}+{key_id(name, key).hex()}+{base64.b64encode(COSIGNATURE + key).decode()}")
    print(f"\u2014 {name} {base64.b64encode(blob).decode()}")


{"verify": verify, "sign": sign}[sys.argv[1]](*sys.argv[2:])
