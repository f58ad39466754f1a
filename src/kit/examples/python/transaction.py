"""Reading an unsigned EVM transaction (RLP, types 0 and 2), strictly, and the hashes of it: Keccak-256, which the chain signs,
and the intent hash, to which the node binds its session (docs/spec/intents.md 6.1)."""
import dataclasses
import hashlib
import re

from Crypto.Hash import keccak


class Refused(Exception):
    """The request is rejected, for this reason."""


@dataclasses.dataclass(frozen=True)
class Payment:
    chain_id: int
    nonce: int
    to: str  # EIP-55
    amount: int
    max_fee: int


def keccak256(message):
    return keccak.new(digest_bits=256, data=message).digest()


def address_of(raw):
    """20 bytes as EIP-55 spells them."""
    digits = raw.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks))


def read_item(data):
    """One item of RLP, a bytes or a list's content, and the rest. Refuses every second way to write it."""
    problem = Refused("the raw transaction is not in the one form of RLP")
    if not data:
        raise problem
    first, body = data[0], data[1:]
    if first < 0x80:
        return data[:1], None, body
    is_list = first >= 0xC0
    length = first - (0xC0 if is_list else 0x80)
    if length > 55:
        digits, body = body[:length - 55], body[length - 55:]
        if len(digits) != length - 55 or digits[0] == 0:
            raise problem
        length = int.from_bytes(digits, "big")
        if length <= 55:
            raise problem
    if length > len(body) or (not is_list and length == 1 and body[0] < 0x80):
        raise problem
    content, rest = body[:length], body[length:]
    return (None, content, rest) if is_list else (content, None, rest)


def number_of(item):
    if item is None or len(item) > 32 or item[:1] == b"\0":
        raise Refused("a number of the raw transaction is not in its one form")
    return int.from_bytes(item, "big")


def read_payment(raw):
    """Refuses whatever is not exactly one unsigned payment with no data, for one chain."""
    typed = raw[:1] == b"\2"
    _, content, rest = read_item(raw[1:] if typed else raw)
    if content is None or rest:
        raise Refused("the raw transaction is no list, or bytes stand behind it")
    fields = []
    while content:
        item, inner, content = read_item(content)
        fields.append(item if inner is None else [inner] if inner else [])
    if len(fields) != 9:
        raise Refused("it has not the nine fields of an unsigned transaction with a chain id")
    if typed:
        chain, nonce, tip, price, gas, to, value, data, last = fields
        closed = last == []
    else:
        nonce, price, gas, to, value, data, chain, r, last = fields
        tip, closed = b"", r == b"" and last == b""
    if not closed or data != b"" or not isinstance(to, bytes) or len(to) != 20:
        raise Refused("it is not a payment and nothing beside it")
    if any(isinstance(item, list) for item in (chain, nonce, tip, price, gas, value)) or number_of(tip) > number_of(price):
        raise Refused("it is not a payment and nothing beside it")
    return Payment(number_of(chain), number_of(nonce), address_of(to), number_of(value), number_of(price) * number_of(gas))


def parse_decimal(text, decimals):
    """None for what is no plain decimal number with at most so many decimals."""
    found = re.fullmatch(r"([0-9]{1,78})(?:\.([0-9]{1,77}))?", text, re.ASCII) if isinstance(text, str) else None
    if found is None:
        return None
    fraction = (found[2] or "").rstrip("0")
    return int(found[1] + fraction.ljust(decimals, "0")) if len(fraction) <= decimals else None


def u32(number):
    return number.to_bytes(4, "big")


def listed(*parts):
    return u32(len(parts)) + b"".join(u32(len(part)) + part for part in parts)


def tagged(tag, *fields):
    """H of docs/spec/threshold.md 1.4."""
    head = b"TSSN1" + bytes([len(tag)]) + tag + bytes([len(fields)])
    return hashlib.sha256(head + b"".join(u32(len(field)) + field for field in fields)).digest()


def intent_hash(payment, digest, root, path, chain, asset, sender):
    """Of a reading with one transfer: docs/spec/intents.md 6.1."""
    fields = {"amount": f"i{payment.amount}", "asset": f"s{asset}", "from": f"s{sender}", "kind": "stransfer", "to": f"s{payment.to}"}
    effect = tagged(b"intent/effect", *(part.encode() for field in sorted(fields.items()) for part in field))
    message = listed(listed(path.encode()), listed(), digest)
    return tagged(
        b"intent", u32(1), b"evm/transaction", root.encode(), chain.encode(), listed(sender.encode()), effect,
        listed(str(payment.max_fee).encode(), asset.encode(), b"false"), listed(str(payment.nonce).encode()), listed(), listed(message))
