import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a share group that does as it is told, a line at a time:
 *
 * <pre>ShareDriver BOOTSTRAP TOPIC GROUP [CONFIG=VALUE...]</pre>
 *
 * <ul>
 *   <li>{@code poll MS}: prints {@code records} and, for each, {@code OFFSET:DELIVERY_COUNT:VALUE}
 *   <li>{@code ack OFFSET TYPE}: says of a record of the last poll that it is accepted, released, rejected or renewed;
 *       prints {@code ok} or {@code error NAME}
 *   <li>{@code commit}: sends what was said and prints {@code committed} with an outcome for each partition
 *   <li>{@code close}: leaves the group and prints {@code closed}
 * </ul>
 */
public final class ShareDriver {
    private final KafkaShareConsumer<String, String> consumer;
    private final Map<Long, ConsumerRecord<String, String>> polled = new HashMap<>();

    private ShareDriver(String bootstrap, String topic, String group, List<String> configs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        for (String config : configs) {
            String[] pair = config.split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        consumer = new KafkaShareConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
    }

    private String answer(String[] words) {
        try {
            return switch (words[0]) {
                case "poll" -> poll(Duration.ofMillis(Long.parseLong(words[1])));
                case "ack" -> {
                    AcknowledgeType type = AcknowledgeType.valueOf(words[2].toUpperCase(java.util.Locale.ROOT));
                    consumer.acknowledge(polled.get(Long.parseLong(words[1])), type);
                    yield "ok";
                }
                case "commit" -> "committed " + consumer.commitSync(Duration.ofSeconds(30)).entrySet().stream()
                    .map(entry -> entry.getKey().partition() + ":"
                        + entry.getValue().map(error -> error.getClass().getSimpleName()).orElse("ok"))
                    .collect(Collectors.joining(" "));
                case "close" -> {
                    consumer.close();
                    yield "closed";
                }
                default -> "error unknown command";
            };
        } catch (RuntimeException error) {
            return "error " + error.getClass().getSimpleName();
        }
    }

    private String poll(Duration time) {
        polled.clear();
        List<String> shown = new ArrayList<>();
        shown.add("records");
        for (ConsumerRecord<String, String> record : consumer.poll(time)) {
            polled.put(record.offset(), record);
            shown.add(record.offset() + ":" + record.deliveryCount().orElse((short) 0) + ":" + record.value());
        }
        return String.join(" ", shown);
    }

    public static void main(String[] args) throws Exception {
        ShareDriver driver = new ShareDriver(args[0], args[1], args[2], List.of(args).subList(3, args.length));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String answer = driver.answer(line.trim().split(" "));
            System.out.println(answer);
            if (answer.equals("closed")) {
                return;
            }
        }
    }
}
