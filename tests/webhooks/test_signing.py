"""The signature, checked by another implementation of the specification's words; secrets at rest."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import Permanent
from webhooks import signing


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Standard Webhooks 1.0, by its words alone, with HMAC written out (RFC 2104) rather than called.

    "The content to sign is msg_id.timestamp.payload"; "the signature is v1, followed by a comma and the base64 encoded
    HMAC-SHA256"; "the header may hold several, space delimited"; "the secret is base64, prefixed with whsec_".
    """
    prefix, _, encoded = secret.partition("_")
    assert prefix == "whsec"
    key = base64.b64decode(encoded, validate=True)
    content = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    padded = key.ljust(64, b"\x00") if len(key) <= 64 else hashlib.sha256(key).digest().ljust(64, b"\x00")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + content).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()
    return any(
        version == "v1" and base64.b64decode(value, validate=True) == outer
        for version, _, value in (one.partition(",") for one in headers["webhook-signature"].split(" "))
    )


def signed(secrets: list[str], message_id: str, moment: int, body: bytes) -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": str(moment),
            "webhook-signature": signing.signature(secrets, message_id, moment, body)}  # fmt: skip


def test_the_example_of_the_specification() -> None:
    """The values that the reference libraries are tested with."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    header = signing.signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@settings(deadline=None)
@given(
    body=st.binary(max_size=2000), moment=st.integers(0, 2**40),
    message_id=st.from_regex(r"msg_[0-9a-f]{32}", fullmatch=True),
)  # fmt: skip
def test_what_is_signed_verifies_and_nothing_else_does(body: bytes, moment: int, message_id: str) -> None:
    secret, other = signing.new_secret(), signing.new_secret()
    headers = signed([secret], message_id, moment, body)
    assert verify(secret, headers, body)
    assert not verify(other, headers, body)
    assert not verify(secret, headers, body + b" ")
    assert not verify(secret, headers | {"webhook-timestamp": str(moment + 1)}, body)
    assert not verify(secret, headers | {"webhook-id": message_id + "0"}, body)


@settings(deadline=None)
@given(body=st.binary(max_size=200))
def test_both_secrets_sign_while_one_replaces_the_other(body: bytes) -> None:
    old, new = signing.new_secret(), signing.new_secret()
    headers = signed([new, old], "msg_1", 1, body)
    assert headers["webhook-signature"].count("v1,") == 2
    assert verify(old, headers, body) and verify(new, headers, body)


def test_secrets_have_the_specified_length_and_differ() -> None:
    made = {signing.new_secret() for _n in range(100)}
    assert len(made) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in made} == {32}  # 24 to 64


def test_a_stored_secret_says_nothing_and_opens_with_a_key_that_was_changed(app: Flask) -> None:
    secret, before = signing.new_secret(), app.extensions["sillage"]
    stored = signing.seal(secret)
    assert secret not in stored and secret.removeprefix("whsec_")[:8] not in stored
    assert stored != signing.seal(secret)
    assert signing.unseal(stored) == secret
    try:
        app.extensions["sillage"] = replace(before, secret_key="another key", old_secret_keys=(before.secret_key,))
        assert signing.unseal(stored) == secret
        app.extensions["sillage"] = replace(before, secret_key="another key")
        with pytest.raises(Permanent):
            signing.unseal(stored)
    finally:
        app.extensions["sillage"] = before
