import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * An unsigned EVM payment, read strictly from its RLP (types 0 and 2), and the intent hash of it, to which the node binds its
 * session (docs/spec/intents.md 6.1).
 */
record Payment(BigInteger chainId, BigInteger nonce, String to, BigInteger amount, BigInteger maxFee) {
  private record Item(boolean isList, byte[] content, byte[] rest) {}

  /** Refuses whatever is not exactly one unsigned payment with no data, for one chain. */
  static Payment read(byte[] raw) throws Refused {
    boolean typed = raw[0] == 2;
    Item whole = item(typed ? from(raw, 1) : raw);
    if (!whole.isList || whole.rest.length > 0) throw notRlp();
    List<Item> fields = new ArrayList<>();
    for (byte[] left = whole.content; left.length > 0; left = fields.get(fields.size() - 1).rest) fields.add(item(left));
    if (fields.size() != 9) throw new Refused("it has not the nine fields of an unsigned transaction with a chain id");
    // type 0: nonce, price, gas, to, value, data, chain, 0, 0; type 2: chain, nonce, tip, price, gas, to, value, data, []
    int[] at = typed ? new int[] {0, 1, 2, 3, 4, 5, 6, 7} : new int[] {6, 0, 1, 1, 2, 3, 4, 5};
    BigInteger price = number(fields.get(at[3]));
    byte[] to = text(fields.get(at[5]));
    Item last = fields.get(8);
    boolean isClosed = last.content.length == 0 && last.isList == typed && (typed || text(fields.get(7)).length == 0);
    boolean isPlain = to.length == 20 && text(fields.get(at[7])).length == 0;
    if (!isClosed || !isPlain || number(fields.get(at[2])).compareTo(price) > 0)
      throw new Refused("it is not a payment and nothing beside it");
    return new Payment(
        number(fields.get(at[0])),
        number(fields.get(at[1])),
        addressOf(to),
        number(fields.get(at[6])),
        price.multiply(number(fields.get(at[4]))));
  }

  /** One item of RLP. Refuses every second way to write it. */
  private static Item item(byte[] bytes) throws Refused {
    if (bytes.length == 0) throw notRlp();
    int first = bytes[0] & 0xff;
    if (first < 0x80) return new Item(false, Arrays.copyOf(bytes, 1), from(bytes, 1));
    boolean isList = first >= 0xc0;
    int length = first - (isList ? 0xc0 : 0x80);
    int start = 1;
    if (length > 55) {
      int digits = length - 55;
      if (digits > 3 || bytes.length < 1 + digits || bytes[1] == 0) throw notRlp();
      length = new BigInteger(1, Arrays.copyOfRange(bytes, 1, 1 + digits)).intValue();
      start += digits;
      if (length <= 55) throw notRlp();
    }
    if (length > bytes.length - start || (!isList && length == 1 && bytes[start] >= 0)) throw notRlp();
    return new Item(isList, Arrays.copyOfRange(bytes, start, start + length), from(bytes, start + length));
  }

  private static byte[] from(byte[] bytes, int start) {
    return Arrays.copyOfRange(bytes, start, bytes.length);
  }

  private static byte[] text(Item item) throws Refused {
    if (item.isList) throw notRlp();
    return item.content;
  }

  private static BigInteger number(Item item) throws Refused {
    byte[] content = text(item);
    if (content.length > 32 || (content.length > 0 && content[0] == 0)) throw notRlp();
    return new BigInteger(1, content);
  }

  private static Refused notRlp() {
    return new Refused("the raw transaction is not in the one form of RLP");
  }

  /** 20 bytes as EIP-55 spells them. */
  static String addressOf(byte[] raw) {
    char[] digits = HexFormat.of().formatHex(raw).toCharArray();
    String marks = HexFormat.of().formatHex(Keccak.hash(utf8(new String(digits))));
    for (int i = 0; i < digits.length; i++)
      if (Character.digit(marks.charAt(i), 16) >= 8) digits[i] = Character.toUpperCase(digits[i]);
    return "0x" + new String(digits);
  }

  /** Null for what is no plain decimal number with at most so many decimals. */
  static BigInteger decimal(Object text, int decimals) {
    if (!(text instanceof String number) || !number.matches("[0-9]{1,78}(\\.[0-9]{1,77})?")) return null;
    int point = number.indexOf('.');
    String fraction = point < 0 ? "" : number.substring(point + 1).replaceAll("0+$", "");
    if (fraction.length() > decimals) return null;
    return new BigInteger((point < 0 ? number : number.substring(0, point)) + fraction + "0".repeat(decimals - fraction.length()));
  }

  /** Of a reading with one transfer. */
  byte[] intentHash(byte[] digest, String root, String path, String chain, String asset, String from) {
    byte[] effect =
        tagged("intent/effect", "amount", "i" + amount, "asset", "s" + asset, "from", "s" + from, "kind", "stransfer", "to", "s" + to);
    return tagged(
        "intent",
        u32(1),
        "evm/transaction",
        root,
        chain,
        listed(from),
        effect,
        listed(maxFee.toString(), asset, "false"),
        listed(nonce.toString()),
        listed(),
        listed((Object) listed(listed(path), listed(), digest)));
  }

  /** H of docs/spec/threshold.md 1.4. Fields are texts or bytes. */
  private static byte[] tagged(String tag, Object... fields) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(utf8("TSSN1"));
    out.write(tag.length());
    out.writeBytes(utf8(tag));
    out.write(fields.length);
    for (Object field : fields) write(out, field);
    try {
      return MessageDigest.getInstance("SHA-256").digest(out.toByteArray());
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }

  private static byte[] listed(Object... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(u32(parts.length));
    for (Object part : parts) write(out, part);
    return out.toByteArray();
  }

  private static void write(ByteArrayOutputStream out, Object part) {
    byte[] bytes = part instanceof byte[] given ? given : utf8((String) part);
    out.writeBytes(u32(bytes.length));
    out.writeBytes(bytes);
  }

  private static byte[] u32(int number) {
    return ByteBuffer.allocate(4).putInt(number).array();
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
