import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;

/**
 * A callback server for a co-signer node: it is asked about every task before the node takes part, and only its signed "APPROVE"
 * lets the node sign. This file owns the exchange: HTTP, the node's token, the signed answer. What is approved is decided in
 * Rules.java.
 *
 * <pre>javac -d out *.java && java -cp out CallbackServer config.json</pre>
 */
final class CallbackServer {
  private static final int MAX_BODY = 4 << 20;
  private static final long CLOCK_SKEW = 60; // seconds that two clocks may be apart
  private static final long MAX_LIFETIME = 3900; // a token of a node lives for minutes
  private static final long ANSWER_EXPIRY = 120;
  private static final int MAX_SEEN = 100_000;

  private record Answer(String requestId, int status, String action, String error) {
    String json() {
      return "{\"request_id\":" + Json.quoted(requestId) + ",\"status\":" + status
          + (action.isEmpty() ? "" : ",\"action\":" + Json.quoted(action))
          + (error.isEmpty() ? "" : ",\"error\":" + Json.quoted(error)) + "}";
    }
  }

  private final Rules rules;
  private final PrivateKey key;
  private final List<PublicKey> nodeKeys = new ArrayList<>();
  private final Map<String, String> seen =
      new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, String> oldest) {
          return size() > MAX_SEEN;
        }
      };

  private CallbackServer(Map<?, ?> config, Path folder) throws IOException, GeneralSecurityException {
    rules = new Rules(config);
    KeyFactory rsa = KeyFactory.getInstance("RSA");
    key = rsa.generatePrivate(new PKCS8EncodedKeySpec(pem(folder.resolve((String) config.get("private_key")))));
    for (Object name : (List<?>) config.get("node_public_keys"))
      nodeKeys.add(rsa.generatePublic(new X509EncodedKeySpec(pem(folder.resolve((String) name)))));
  }

  /** PKCS#8 and SPKI, as `cosigner callback-server init` and `cosigner info` write them. */
  private static byte[] pem(Path file) throws IOException {
    return Base64.getMimeDecoder().decode(Files.readString(file).replaceAll("-----[A-Z ]+-----", ""));
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 1) throw new IllegalArgumentException("usage: CallbackServer config.json");
    // A body that does not come is given up.
    System.setProperty("sun.net.httpserver.maxReqTime", "10");
    Path file = Path.of(args[0]).toAbsolutePath();
    Map<?, ?> config = Json.object(Files.readString(file).strip());
    CallbackServer callback = new CallbackServer(config, file.getParent());
    String listen = (String) config.get("listen");
    int colon = listen.lastIndexOf(':');
    int port = Integer.parseInt(listen.substring(colon + 1));
    HttpServer web = HttpServer.create(new InetSocketAddress(listen.substring(0, colon), port), 128);
    web.setExecutor(Executors.newFixedThreadPool(64));
    web.createContext("/ping", exchange -> reply(exchange, "{\"server\":\"java-callback-server\",\"timestamp\":" + System.currentTimeMillis() + "}"));
    web.createContext("/v2/check", callback::check);
    web.start();
    System.out.println("listening on " + listen);
  }

  private void check(HttpExchange exchange) throws IOException {
    byte[] form = exchange.getRequestBody().readNBytes(MAX_BODY + 1);
    Answer answer =
        form.length > MAX_BODY ? new Answer("", 10, "", "the body is too long") : respond(field(new String(form, StandardCharsets.ISO_8859_1)));
    System.out.println(answer.json());
    try {
      reply(exchange, sign(answer));
    } catch (GeneralSecurityException error) {
      exchange.close(); // a fault of ours approves nothing
    }
  }

  private static void reply(HttpExchange exchange, String text) throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private static String field(String form) {
    for (String pair : form.split("&"))
      if (pair.startsWith("TSS_JWT_MSG=")) return URLDecoder.decode(pair.substring(12), StandardCharsets.ISO_8859_1);
    return "";
  }

  private Answer respond(String token) {
    byte[] body;
    try {
      body = open(token, System.currentTimeMillis() / 1000);
    } catch (Refused | GeneralSecurityException | IllegalArgumentException error) {
      return new Answer("", 20, "", "the token is not accepted: " + error.getMessage());
    }
    Map<?, ?> fields = Json.object(new String(body, StandardCharsets.UTF_8));
    if (fields == null || !(fields.get("request_id") instanceof String id) || id.length() > 128
        || !(fields.get("request_type") instanceof Long kind)
        || !(fields.get("request_detail") instanceof String detailText) || !(fields.get("extra_info") instanceof String extraText))
      return new Answer("", 10, "", "a field of the request is missing, or of another type");
    if (kind == 0) return new Answer(id, 0, "APPROVE", "");
    Map<?, ?> detail = Json.object(detailText);
    Map<?, ?> extra = Json.object(extraText);
    if (id.isEmpty() || detail == null || extra == null)
      return new Answer("", 10, "", "request_id is empty, or request_detail or extra_info holds no JSON object");
    if (!sameAsBefore(id, body)) return new Answer(id, 10, "REJECT", "this request id was used for another request");
    try {
      rules.decide(kind, detail, extra);
      return new Answer(id, 0, "APPROVE", "");
    } catch (Refused refused) {
      return new Answer(id, 0, "REJECT", refused.getMessage());
    }
  }

  /** A node repeats a request under its id; nobody may put another one in its place. */
  private boolean sameAsBefore(String id, byte[] body) {
    String digest;
    try {
      digest = Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-256").digest(body));
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error);
    }
    synchronized (seen) {
      String before = seen.putIfAbsent(id, digest);
      return before == null || before.equals(digest);
    }
  }

  /** Verifies RS256 and nothing else, a node's key, the times. Returns the body inside. */
  private byte[] open(String token, long now) throws Refused, GeneralSecurityException {
    String[] parts = token.split("\\.", -1);
    if (parts.length != 3) throw new Refused("it has not three parts");
    Map<?, ?> header = part(parts[0]);
    if (header == null || !"RS256".equals(header.get("alg"))) throw new Refused("it is not of RS256");
    if (!isOfANode((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII), Base64.getUrlDecoder().decode(parts[2])))
      throw new Refused("no known node signed it");
    Map<?, ?> claims = part(parts[1]);
    if (claims == null || !(claims.get("exp") instanceof Long expires) || expires <= now - CLOCK_SKEW) throw new Refused("it is expired");
    if (expires > now + MAX_LIFETIME) throw new Refused("it is valid for too long");
    for (String name : List.of("nbf", "iat")) {
      Object time = claims.get(name);
      if (time != null && !(time instanceof Long seconds && seconds <= now + CLOCK_SKEW)) throw new Refused("it is from the future");
    }
    if (!(claims.get("package_data") instanceof String data)) throw new Refused("it has no package_data");
    return Base64.getDecoder().decode(data);
  }

  private boolean isOfANode(byte[] signed, byte[] signature) throws GeneralSecurityException {
    for (PublicKey node : nodeKeys) {
      Signature rsa = Signature.getInstance("SHA256withRSA");
      rsa.initVerify(node);
      rsa.update(signed);
      if (signature.length > 0 && rsa.verify(signature)) return true;
    }
    return false;
  }

  private static Map<?, ?> part(String text) {
    return Json.object(new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8));
  }

  private String sign(Answer answer) throws GeneralSecurityException {
    String data = Base64.getEncoder().encodeToString(answer.json().getBytes(StandardCharsets.UTF_8));
    String claims = "{\"package_data\":\"" + data + "\",\"exp\":" + (System.currentTimeMillis() / 1000 + ANSWER_EXPIRY) + ",\"iss\":\"\"}";
    String signed = encode("{\"alg\":\"RS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.UTF_8)) + "." + encode(claims.getBytes(StandardCharsets.UTF_8));
    Signature rsa = Signature.getInstance("SHA256withRSA");
    rsa.initSign(key);
    rsa.update(signed.getBytes(StandardCharsets.US_ASCII));
    return signed + "." + encode(rsa.sign());
  }

  private static String encode(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }
}
