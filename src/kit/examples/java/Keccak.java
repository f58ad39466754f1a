/** Keccak-256, the hash of Ethereum, which the standard library has not: SHA-3 with the padding of its proposal. */
final class Keccak {
  private static final int RATE = 136;

  private Keccak() {}

  static byte[] hash(byte[] message) {
    byte[] padded = java.util.Arrays.copyOf(message, (message.length / RATE + 1) * RATE);
    padded[message.length] ^= 0x01;
    padded[padded.length - 1] ^= (byte) 0x80;
    long[] state = new long[25];
    for (int block = 0; block < padded.length; block += RATE) {
      for (int i = 0; i < RATE; i++) state[i / 8] ^= (padded[block + i] & 0xffL) << (8 * (i % 8));
      permute(state);
    }
    byte[] out = new byte[32];
    for (int i = 0; i < 32; i++) out[i] = (byte) (state[i / 8] >>> (8 * (i % 8)));
    return out;
  }

  private static void permute(long[] a) {
    int lfsr = 1;
    for (int round = 0; round < 24; round++) {
      long[] c = new long[5];
      for (int i = 0; i < 25; i++) c[i % 5] ^= a[i];
      for (int i = 0; i < 25; i++) a[i] ^= c[(i + 4) % 5] ^ Long.rotateLeft(c[(i + 1) % 5], 1);
      int x = 1;
      int y = 0;
      long moved = a[1];
      for (int t = 1; t <= 24; t++) {
        int next = (2 * x + 3 * y) % 5;
        x = y;
        y = next;
        long kept = a[x + 5 * y];
        a[x + 5 * y] = Long.rotateLeft(moved, t * (t + 1) / 2 % 64);
        moved = kept;
      }
      for (int row = 0; row < 25; row += 5) {
        long[] b = java.util.Arrays.copyOfRange(a, row, row + 5);
        for (int i = 0; i < 5; i++) a[row + i] = b[i] ^ (~b[(i + 1) % 5] & b[(i + 2) % 5]);
      }
      for (int j = 0; j < 7; j++) {
        if ((lfsr & 1) != 0) a[0] ^= 1L << ((1 << j) - 1);
        lfsr = (lfsr << 1 ^ (lfsr >>> 7) * 0x171) & 0xff;
      }
    }
  }
}
