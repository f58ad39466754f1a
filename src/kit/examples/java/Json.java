import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A strict reader of JSON, which the standard library has not. Integers become Long, other numbers Double. */
final class Json {
  private static final int MAX_DEPTH = 64;
  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /** The object that is all of the text; null where it is none. */
  static Map<?, ?> object(String text) {
    try {
      Json json = new Json(text);
      Object value = json.value(0);
      return json.at == text.length() && value instanceof Map<?, ?> map ? map : null;
    } catch (IllegalArgumentException | StringIndexOutOfBoundsException error) {
      return null;
    }
  }

  static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20 || c > 0x7e) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }

  private Object value(int depth) {
    if (depth > MAX_DEPTH) throw new IllegalArgumentException("nested too deeply");
    space();
    char first = text.charAt(at);
    Object value =
        switch (first) {
          case '{' -> members(depth);
          case '[' -> elements(depth);
          case '"' -> string();
          case 't' -> word("true", Boolean.TRUE);
          case 'f' -> word("false", Boolean.FALSE);
          case 'n' -> word("null", null);
          default -> number();
        };
    space();
    return value;
  }

  private Map<String, Object> members(int depth) {
    Map<String, Object> map = new LinkedHashMap<>();
    at++;
    space();
    if (take('}')) return map;
    do {
      space();
      if (text.charAt(at) != '"') throw new IllegalArgumentException("a name is expected");
      String name = string();
      space();
      expect(':');
      if (map.containsKey(name)) throw new IllegalArgumentException("a name stands twice");
      map.put(name, value(depth + 1));
    } while (take(','));
    expect('}');
    return map;
  }

  private List<Object> elements(int depth) {
    List<Object> list = new ArrayList<>();
    at++;
    space();
    if (take(']')) return list;
    do list.add(value(depth + 1));
    while (take(','));
    expect(']');
    return list;
  }

  private String string() {
    StringBuilder out = new StringBuilder();
    at++;
    for (char c = text.charAt(at++); c != '"'; c = text.charAt(at++)) {
      if (c < 0x20) throw new IllegalArgumentException("a control character");
      out.append(c == '\\' ? escaped(text.charAt(at++)) : c);
    }
    return out.toString();
  }

  private char escaped(char c) {
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> {
        String digits = text.substring(at, at + 4);
        if (!digits.matches("[0-9a-fA-F]{4}")) throw new IllegalArgumentException("an escape");
        at += 4;
        yield (char) Integer.parseInt(digits, 16);
      }
      default -> throw new IllegalArgumentException("an escape");
    };
  }

  private Object number() {
    int start = at;
    while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
    String digits = text.substring(start, at);
    if (!digits.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) throw new IllegalArgumentException("a number");
    if (digits.matches("-?[0-9]{1,18}")) return Long.valueOf(digits);
    return Double.valueOf(digits);
  }

  private Object word(String word, Object value) {
    if (!text.startsWith(word, at)) throw new IllegalArgumentException("a word");
    at += word.length();
    return value;
  }

  private boolean take(char c) {
    if (text.charAt(at) != c) return false;
    at++;
    return true;
  }

  private void expect(char c) {
    if (!take(c)) throw new IllegalArgumentException("expected " + c);
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
  }
}
