"""What is approved: new keys if the configuration says so, and one kind of signature, a payment of the chain's own coin to a
listed address, within the limits. Everything else is rejected."""
import dataclasses
import json

from transaction import Refused, address_of, intent_hash, keccak256, parse_decimal, read_payment


@dataclasses.dataclass(frozen=True)
class Request:
    id: str
    kind: int
    detail: dict
    extra: dict


def parse_object(text):
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("it is no JSON") from error
    if not isinstance(value, dict):
        raise Refused("it is no JSON object")
    return value


def read_request(body):
    """The four fields, each of its type."""
    fields = parse_object(body)
    request_id, kind = fields.get("request_id"), fields.get("request_type")
    detail, extra = fields.get("request_detail"), fields.get("extra_info")
    if not isinstance(request_id, str) or len(request_id) > 128 or type(kind) is not int:
        raise Refused("request_id or request_type is missing, or of another type")
    if not isinstance(detail, str) or not isinstance(extra, str):
        raise Refused("request_detail and extra_info are texts")
    if kind == 0:
        return Request(request_id, kind, {}, {})
    if request_id == "":
        raise Refused("request_id is empty")
    return Request(request_id, kind, parse_object(detail), parse_object(extra))


def at(value, *names):
    """Follows names through nested objects."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


class Rules:
    def __init__(self, config):
        self.config = config
        self.destinations = set(config["destinations"])
        self.max_amount = int(config["max_amount_wei"])
        self.max_fee = int(config["max_fee_wei"])
        self.chain = f"eip155:{config['chain_id']}"
        self.asset = f"{self.chain}/slip44:{config['coin_type']}"
        for text in self.destinations:
            if address_of(bytes.fromhex(text.removeprefix("0x"))) != text:
                raise SystemExit(f"destinations: {text} is no address with a right checksum")

    def decide(self, request):
        if request.kind == 2:
            return self.decide_sign(request)
        if request.kind == 1 and self.config["allow_key_gen"] is True:
            return None
        raise Refused(f"requests of type {request.kind} are not allowed here")

    def decide_sign(self, request):
        detail, extra = request.detail, request.extra
        hashes, paths = detail.get("msg_hash_list"), detail.get("bip32_path_list")
        if not isinstance(hashes, list) or len(hashes) != 1 or not isinstance(paths, list) or len(paths) != 1:
            raise Refused("one digest can be checked at a time")
        if detail.get("signature_type") != 1:
            raise Refused("an EVM transaction takes an ECDSA signature")
        # The transaction itself, never the words beside it: what is hashed here is what will be signed.
        text = at(extra, "transaction", "raw_tx_info", "unsigned_raw_tx")
        try:
            raw = bytes.fromhex(text.removeprefix("0x"))
        except (AttributeError, ValueError) as error:
            raise Refused("there is no raw transaction to check") from error
        digest = "0x" + keccak256(raw).hex()
        if hashes[0] != digest:
            raise Refused("the digest is not the hash of the raw transaction")
        payment = read_payment(raw)
        if payment.chain_id != self.config["chain_id"]:
            raise Refused("the transaction is for another chain")
        if at(extra, "transaction", "chain_id") not in (None, self.config["chain_name"]):
            raise Refused("extra_info names another chain")
        if payment.to not in self.destinations:
            raise Refused(f"{payment.to} is not an allowed destination")
        if payment.amount > self.max_amount:
            raise Refused(f"its amount of {payment.amount} wei is above the limit")
        if payment.max_fee > self.max_fee:
            raise Refused(f"its fee of up to {payment.max_fee} wei is above the limit")
        self.check_words(extra, payment)
        self.check_intent(extra, payment, digest, str(detail.get("root_pub_key")), str(paths[0]))

    def check_words(self, extra, payment):
        """Refuses a screen that lies: what people were shown must be what is signed."""
        shown = at(extra, "transaction", "destination", "account_output")
        if at(shown, "address") not in (None, payment.to, payment.to.lower()):
            raise Refused("extra_info shows another destination, or an address with a wrong checksum")
        amount = at(shown, "amount")
        if amount is not None and parse_decimal(amount, 18) != payment.amount:
            raise Refused("extra_info shows another amount")

    def check_intent(self, extra, payment, digest, root, path):
        """Compares what the node says that it read with what was read here, and works its hash out again: the node binds the
        signing session to that hash. The sender alone is the node's word, for only the node derives it."""
        intents, of_task = extra.get("intent"), extra.get("intent_hash")
        if intents is None and of_task is None:
            return
        shown = intents[0] if isinstance(intents, list) and len(intents) == 1 else None
        senders = at(shown, "from")
        if not isinstance(senders, list) or len(senders) != 1 or not isinstance(senders[0], str):
            raise Refused("the node's intent is not one, of one sender")
        own = {
            "format": "evm/transaction",
            "chain": self.chain,
            "effects": [{"kind": "transfer", "from": senders[0], "to": payment.to, "asset": self.asset, "amount": str(payment.amount)}],
            "fee": {"max": str(payment.max_fee), "asset": self.asset, "unbounded": False},
            "nonce": str(payment.nonce),
            "digests": [digest],
        }
        for name, value in own.items():
            if shown.get(name) != value:
                raise Refused(f"the node's intent shows another {name} than the raw transaction")
        expected = "0x" + intent_hash(payment, bytes.fromhex(digest[2:]), root, path, self.chain, self.asset, senders[0]).hex()
        if shown.get("intent_hash") != expected or of_task not in (None, expected):
            raise Refused("the intent hash is not that of the intent")
