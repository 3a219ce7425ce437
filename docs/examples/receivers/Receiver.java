// java Receiver.java (Java 17 or newer)
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Receiver {
    static final byte[] KEY = Base64.getDecoder().decode(System.getenv("WEBHOOK_SECRET").replace("whsec_", ""));

    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 9000), 0);
        server.createContext("/webhook", Receiver::receive);
        server.start();
    }

    static void receive(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        boolean signed = isSigned(exchange, body);
        if (signed) {
            System.out.println(new String(body, StandardCharsets.UTF_8)); // parse it with Jackson or Gson
        }
        exchange.sendResponseHeaders(signed ? 204 : 400, -1);
        exchange.close();
    }

    static boolean isSigned(HttpExchange exchange, byte[] body) {
        try {
            String time = header(exchange, "webhook-timestamp");
            if (Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(time)) > 300) {
                return false;
            }
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(KEY, "HmacSHA256"));
            mac.update((header(exchange, "webhook-id") + "." + time + ".").getBytes(StandardCharsets.UTF_8));
            byte[] expected = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes();
            boolean found = false;
            for (String signature : header(exchange, "webhook-signature").split(" ")) {
                found |= MessageDigest.isEqual(expected, signature.getBytes());
            }
            return found;
        } catch (NumberFormatException | GeneralSecurityException error) {
            return false;
        }
    }

    static String header(HttpExchange exchange, String name) {
        String value = exchange.getRequestHeaders().getFirst(name);
        return value == null ? "" : value;
    }
}
