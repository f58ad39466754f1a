import java.math.BigInteger;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * What is approved: new keys if the configuration says so, and one kind of signature, a payment of the chain's own coin to a
 * listed address, within the limits. Everything else is rejected.
 */
final class Rules {
  private final boolean allowKeyGen;
  private final Object chainName;
  private final Object chainId;
  private final String chain;
  private final String asset;
  private final TreeSet<String> destinations = new TreeSet<>();
  private final BigInteger maxAmount;
  private final BigInteger maxFee;

  Rules(Map<?, ?> config) {
    allowKeyGen = Boolean.TRUE.equals(config.get("allow_key_gen"));
    chainName = config.get("chain_name");
    chainId = config.get("chain_id");
    chain = "eip155:" + chainId;
    asset = chain + "/slip44:" + config.get("coin_type");
    maxAmount = new BigInteger((String) config.get("max_amount_wei"));
    maxFee = new BigInteger((String) config.get("max_fee_wei"));
    for (Object text : (List<?>) config.get("destinations")) {
      byte[] raw = HexFormat.of().parseHex(((String) text).substring(2));
      if (!Payment.addressOf(raw).equals(text)) throw new IllegalArgumentException(text + " is no address with a right checksum");
      destinations.add((String) text);
    }
  }

  void decide(long kind, Map<?, ?> detail, Map<?, ?> extra) throws Refused {
    if (kind == 2) decideSign(detail, extra);
    else if (kind != 1 || !allowKeyGen) throw new Refused("requests of type " + kind + " are not allowed here");
  }

  private void decideSign(Map<?, ?> detail, Map<?, ?> extra) throws Refused {
    boolean isOne = detail.get("msg_hash_list") instanceof List<?> hashes && hashes.size() == 1
        && detail.get("bip32_path_list") instanceof List<?> paths && paths.size() == 1;
    if (!isOne || !Long.valueOf(1).equals(detail.get("signature_type")))
      throw new Refused("one ECDSA signature can be checked at a time");
    Object hash = ((List<?>) detail.get("msg_hash_list")).get(0);
    // The transaction itself, never the words beside it: what is hashed here is what will be signed.
    byte[] raw = rawOf(at(extra, "transaction", "raw_tx_info", "unsigned_raw_tx"));
    byte[] digest = Keccak.hash(raw);
    if (!hex(digest).equals(hash)) throw new Refused("the digest is not the hash of the raw transaction");
    Payment payment = Payment.read(raw);
    if (!payment.chainId().toString().equals(String.valueOf(chainId))) throw new Refused("the transaction is for another chain");
    Object named = at(extra, "transaction", "chain_id");
    if (named != null && !named.equals(chainName)) throw new Refused("extra_info names another chain");
    if (!destinations.contains(payment.to())) throw new Refused(payment.to() + " is not an allowed destination");
    if (payment.amount().compareTo(maxAmount) > 0) throw new Refused("its amount of " + payment.amount() + " wei is above the limit");
    if (payment.maxFee().compareTo(maxFee) > 0) throw new Refused("its fee of up to " + payment.maxFee() + " wei is above the limit");
    checkWords(extra, payment);
    Object path = ((List<?>) detail.get("bip32_path_list")).get(0);
    checkIntent(extra, payment, digest, String.valueOf(detail.get("root_pub_key")), String.valueOf(path));
  }

  private static byte[] rawOf(Object text) throws Refused {
    if (text instanceof String raw && raw.length() <= 262144 && raw.matches("0x[0-9a-fA-F]+") && raw.length() % 2 == 0)
      return HexFormat.of().parseHex(raw.substring(2));
    throw new Refused("there is no raw transaction to check");
  }

  /** Refuses a screen that lies: what people were shown must be what is signed. */
  private static void checkWords(Map<?, ?> extra, Payment payment) throws Refused {
    Object shown = at(extra, "transaction", "destination", "account_output");
    Object address = at(shown, "address");
    if (address != null && !address.equals(payment.to()) && !address.equals(payment.to().toLowerCase()))
      throw new Refused("extra_info shows another destination, or an address with a wrong checksum");
    Object amount = at(shown, "amount");
    if (amount != null && !payment.amount().equals(Payment.decimal(amount, 18))) throw new Refused("extra_info shows another amount");
  }

  /**
   * Compares what the node says that it read with what was read here, and works its hash out again: the node binds the signing
   * session to that hash. The sender alone is the node's word, for only the node derives it.
   */
  private void checkIntent(Map<?, ?> extra, Payment payment, byte[] digest, String root, String path) throws Refused {
    Object ofTask = extra.get("intent_hash");
    if (extra.get("intent") == null && ofTask == null) return;
    Object shown = extra.get("intent") instanceof List<?> intents && intents.size() == 1 ? intents.get(0) : null;
    if (!(at(shown, "from") instanceof List<?> senders) || senders.size() != 1 || !(senders.get(0) instanceof String from))
      throw new Refused("the node's intent is not one, of one sender");
    Map<String, Object> effect =
        Map.of("kind", "transfer", "from", from, "to", payment.to(), "asset", asset, "amount", payment.amount().toString());
    Map<String, Object> own =
        Map.of(
            "format", "evm/transaction",
            "chain", chain,
            "effects", List.of(effect),
            "fee", Map.of("max", payment.maxFee().toString(), "asset", asset, "unbounded", false),
            "nonce", payment.nonce().toString(),
            "digests", List.of(hex(digest)));
    for (Map.Entry<String, Object> part : own.entrySet())
      if (!part.getValue().equals(at(shown, part.getKey())))
        throw new Refused("the node's intent shows another " + part.getKey() + " than the raw transaction");
    String hash = hex(payment.intentHash(digest, root, path, chain, asset, from));
    if (!hash.equals(at(shown, "intent_hash")) || (ofTask != null && !hash.equals(ofTask)))
      throw new Refused("the intent hash is not that of the intent");
  }

  /** Follows names through nested objects. */
  private static Object at(Object value, String... names) {
    for (String name : names) value = value instanceof Map<?, ?> map ? map.get(name) : null;
    return value;
  }

  private static String hex(byte[] bytes) {
    return "0x" + HexFormat.of().formatHex(bytes);
  }
}
