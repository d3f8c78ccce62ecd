import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Queue;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** Kafka's own Java clients behind the drivers' common command line; see ../README.md. */
public final class Driver {
    private static final Duration POLL = Duration.ofMillis(100);
    private static final Duration IDLE_LIMIT = Duration.ofSeconds(30);

    public static void main(String[] args) throws Exception {
        switch (args.length == 0 ? "" : args[0]) {
            case "versions" -> versions();
            case "create" -> create(args[1], args[2], Integer.parseInt(args[3]));
            case "produce" -> produce(args[1], args[2], Integer.parseInt(args[3]), args[4],
                Integer.parseInt(args[5]), Integer.parseInt(args[6]),
                args.length > 7 ? Long.parseLong(args[7]) : 1_700_000_000_000L);
            case "produce-file" -> produceFile(args[1], args[2], Integer.parseInt(args[3]), Path.of(args[4]), args[5]);
            case "consume" -> consume(args[1], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]));
            case "consume-file" -> consumeFile(args[1], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]),
                Path.of(args[5]));
            case "group" -> group(args[1], args[2], args[3], args.length > 4 ? Optional.of(args[4]) : Optional.empty(),
                args.length > 5 ? args[5] : "classic");
            case "copy" -> copy(args[1], args[2], args[3], args[4], args[5]);
            default -> {
                System.err.println("unsupported");
                System.exit(64);
            }
        }
    }

    private static void versions() {
        emit("{\"client\":\"java\",\"version\":\"" + AppInfoParser.getVersion() + "\","
            + "\"compressions\":[\"none\",\"gzip\",\"snappy\",\"lz4\",\"zstd\"],"
            + "\"idempotent\":true,\"headers\":true,\"timestamps\":true,\"groups\":true}");
    }

    private static void create(String bootstrap, String topic, int partitions)
            throws ExecutionException, InterruptedException {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var newTopic = new NewTopic(topic, Optional.of(partitions), Optional.empty());
            admin.createTopics(List.of(newTopic)).all().get();
        }
        emit("{\"created\":" + json(topic) + "}");
    }

    private static void produce(String bootstrap, String topic, int partitions, String compression, int first,
            int count, long baseMs) {
        var deliveries = new Deliveries();
        try (var producer = newProducer(bootstrap, compression)) {
            for (int i = first; i < first + count; i++) {
                List<Header> headers = List.of(
                    new RecordHeader("i", bytes(Integer.toString(i))),
                    new RecordHeader("dup", bytes("a")),
                    new RecordHeader("dup", bytes("b")),
                    new RecordHeader("empty", bytes("")));
                deliveries.send(producer, new ProducerRecord<>(topic, i % partitions, baseMs + i,
                    bytes("k-" + i), bytes("v-" + i + "-" + "x".repeat(i % 200)), headers));
            }
        } // closing waits for everything sent
        deliveries.check(count);
        String offsets = deliveries.ranges.entrySet().stream()
            .map(e -> "\"" + e.getKey() + "\":[" + e.getValue()[0] + "," + e.getValue()[1] + "]")
            .collect(Collectors.joining(","));
        emit("{\"produced\":" + count + ",\"offsets\":{" + offsets + "}}");
    }

    private static void produceFile(String bootstrap, String topic, int partitions, Path file, String compression)
            throws IOException {
        var deliveries = new Deliveries();
        int count = 0;
        try (var producer = newProducer(bootstrap, compression);
                InputStream lines = new BufferedInputStream(Files.newInputStream(file), 1 << 20)) {
            for (byte[] line = readLine(lines); line != null; line = readLine(lines)) {
                deliveries.send(producer, new ProducerRecord<>(topic, count % partitions, null, line));
                count++;
            }
        }
        deliveries.check(count);
        emit("{\"produced\":" + count + "}");
    }

    /** The next line without its newline, or null at the end. */
    private static byte[] readLine(InputStream in) throws IOException {
        var line = new ByteArrayOutputStream(256);
        int next = in.read();
        if (next == -1) {
            return null;
        }
        for (; next != '\n' && next != -1; next = in.read()) {
            line.write(next);
        }
        return line.toByteArray();
    }

    /** Idempotent, acks=all and retrying for two minutes are the client's defaults. */
    private static KafkaProducer<byte[], byte[]> newProducer(String bootstrap, String compression) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "compression.type", compression);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Collects the broker's answers to produced records; they arrive on the producer's one I/O thread. */
    private static final class Deliveries {
        private final Map<Integer, long[]> ranges = new TreeMap<>();
        private int acknowledged;
        private String failure;

        void send(KafkaProducer<byte[], byte[]> producer, ProducerRecord<byte[], byte[]> record) {
            int partition = record.partition();
            producer.send(record, (metadata, error) -> {
                if (error != null) {
                    failure = "delivery failed: " + error;
                } else if (metadata.partition() != partition) {
                    failure = "asked for partition " + partition + ", got " + metadata.partition();
                } else {
                    acknowledged++;
                    long offset = metadata.offset();
                    long[] range = ranges.computeIfAbsent(partition, p -> new long[] {offset, offset});
                    range[0] = Math.min(range[0], offset);
                    range[1] = Math.max(range[1], offset);
                }
            });
        }

        void check(int count) {
            if (failure != null || acknowledged != count) {
                fail(failure != null ? failure : acknowledged + " of " + count + " records acknowledged");
            }
        }
    }

    private static void consume(String bootstrap, String topic, int partitions, int count) {
        readFromBeginning(bootstrap, topic, partitions, count, Driver::emitRecord);
    }

    private static void consumeFile(String bootstrap, String topic, int partitions, int count, Path out)
            throws IOException {
        List<Queue<byte[]>> waiting = new ArrayList<>(); // read before the lines that precede them
        IntStream.range(0, partitions).forEach(p -> waiting.add(new ArrayDeque<>()));
        int[] written = {0};
        try (OutputStream lines = new BufferedOutputStream(Files.newOutputStream(out), 1 << 20)) {
            readFromBeginning(bootstrap, topic, partitions, count, record -> {
                waiting.get(record.partition()).add(record.value());
                for (byte[] line; (line = waiting.get(written[0] % partitions).poll()) != null; written[0]++) {
                    try {
                        lines.write(line);
                        lines.write('\n');
                    } catch (IOException error) {
                        fail(error.toString());
                    }
                }
            });
        }
        if (written[0] != count) {
            fail(count + " records read, but only " + written[0] + " in an unbroken order");
        }
        emit("{\"consumed\":" + count + "}");
    }

    /** Calls {@code each} for {@code count} records of all partitions; gives up after 30 s without one. */
    private static void readFromBeginning(String bootstrap, String topic, int partitions, int count,
            Consumer<ConsumerRecord<byte[], byte[]>> each) {
        try (var consumer = newConsumer(bootstrap, Map.of())) {
            var assignment = IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).toList();
            consumer.assign(assignment);
            consumer.seekToBeginning(assignment);
            int read = 0;
            for (long lastProgress = System.nanoTime(); read < count; ) {
                for (var record : consumer.poll(POLL)) {
                    if (read == count) {
                        break;
                    }
                    each.accept(record);
                    read++;
                    lastProgress = System.nanoTime();
                }
                if (System.nanoTime() - lastProgress > IDLE_LIMIT.toNanos()) {
                    fail("no record for " + IDLE_LIMIT.toSeconds() + " s, " + read + " of " + count + " read");
                }
            }
        }
    }

    private static KafkaConsumer<byte[], byte[]> newConsumer(String bootstrap, Map<String, String> settings) {
        var config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.putAll(settings);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static void group(String bootstrap, String topic, String group, Optional<String> sessionTimeout,
            String protocol) {
        var settings = new HashMap<>(Map.of("group.id", group, "group.protocol", protocol,
            "auto.offset.reset", "earliest", "enable.auto.commit", "false"));
        if (protocol.equals("classic")) { // otherwise the timeout is the broker's to say
            sessionTimeout.ifPresent(ms -> settings.put("session.timeout.ms", ms));
        }
        var stop = stopAtEndOfInput();
        try (var consumer = newConsumer(bootstrap, settings)) {
            consumer.subscribe(List.of(topic), new PrintRebalances());
            while (!stop.get()) {
                var records = consumer.poll(POLL);
                records.forEach(Driver::emitRecord);
                if (!records.isEmpty()) {
                    commit(consumer, records.nextOffsets());
                }
            }
        } // closing leaves the group
    }

    private static AtomicBoolean stopAtEndOfInput() {
        var stop = new AtomicBoolean();
        var untilEndOfInput = new Thread(() -> {
            try {
                System.in.transferTo(OutputStream.nullOutputStream());
            } catch (IOException error) {
                System.err.println(error);
            }
            stop.set(true);
        });
        untilEndOfInput.setDaemon(true);
        untilEndOfInput.start();
        return stop;
    }

    private static void copy(String bootstrap, String from, String to, String group, String transactionalId) {
        var settings = Map.of("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", "false",
            "isolation.level", "read_committed", "session.timeout.ms", "6000", "max.poll.records", "100");
        Map<String, Object> producing = Map.of("bootstrap.servers", bootstrap, "transactional.id", transactionalId,
            "transaction.timeout.ms", 10_000);
        var stop = stopAtEndOfInput();
        try (var consumer = newConsumer(bootstrap, settings);
                var producer = new KafkaProducer<>(producing, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(from));
            for (int batch = 0; !stop.get(); ) {
                var records = consumer.poll(POLL);
                if (records.isEmpty()) {
                    continue;
                }
                try {
                    if (batch++ % 3 == 0) { // nobody may ever see it
                        producer.beginTransaction();
                        records.forEach(r -> producer.send(
                            new ProducerRecord<>(to, r.partition(), r.key(), bytes("aborted"))));
                        producer.flush();
                        producer.abortTransaction();
                    }
                    producer.beginTransaction();
                    records.forEach(r -> producer.send(new ProducerRecord<>(to, r.partition(), r.key(), r.value())));
                    producer.sendOffsetsToTransaction(records.nextOffsets(), consumer.groupMetadata());
                    producer.commitTransaction();
                    emit("{\"copied\":" + records.count() + "}");
                } catch (ProducerFencedException fenced) {
                    fail(fenced.toString());
                } catch (KafkaException error) { // the group has rebalanced, say
                    System.err.println("aborted: " + error);
                    producer.abortTransaction();
                    var committed = consumer.committed(consumer.assignment());
                    committed.forEach((partition, offset) -> consumer.seek(partition, offset == null ? 0 : offset.offset()));
                }
            }
        }
    }

    private static void commit(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, OffsetAndMetadata> next) {
        try {
            consumer.commitSync(next);
            emit("{\"committed\":{" + next.entrySet().stream()
                .map(e -> "\"" + e.getKey().partition() + "\":" + e.getValue().offset())
                .sorted().collect(Collectors.joining(",")) + "}}");
        } catch (KafkaException error) { // the broker is away or the group rebalances: the records come again
            System.err.println("commit failed: " + error);
        }
    }

    /** Both callbacks tell only what changes: in the classic protocol's eager rebalances that is everything. */
    private static final class PrintRebalances implements ConsumerRebalanceListener {
        private final long started = System.nanoTime();
        private final TreeSet<Integer> owned = new TreeSet<>();

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> owned.add(partition.partition()));
            emitOwned();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> owned.remove(partition.partition()));
            emit("{\"revoked\":" + partitions.stream().map(TopicPartition::partition).sorted().toList() + "}");
            if (!owned.isEmpty()) {
                emitOwned();
            }
        }

        private void emitOwned() {
            emit("{\"assigned\":" + owned + ",\"ms\":" + (System.nanoTime() - started) / 100_000 / 10.0 + "}");
        }
    }

    private static void emitRecord(ConsumerRecord<byte[], byte[]> record) {
        var headers = new ArrayList<String>();
        record.headers().forEach(h -> headers.add("[" + json(h.key()) + "," + json(text(h.value())) + "]"));
        emit("{\"p\":" + record.partition() + ",\"o\":" + record.offset()
            + ",\"k\":" + json(text(record.key())) + ",\"v\":" + json(text(record.value()))
            + ",\"h\":[" + String.join(",", headers) + "],\"t\":" + record.timestamp() + "}");
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    private static String json(String text) {
        if (text == null) {
            return "null";
        }
        var quoted = new StringBuilder("\"");
        text.chars().forEach(c -> quoted.append(
            c < ' ' || c > '~' || c == '"' || c == '\\' ? String.format("\\u%04x", c) : String.valueOf((char) c)));
        return quoted.append('"').toString();
    }

    private static synchronized void emit(String line) {
        System.out.print(line + "\n");
        System.out.flush();
    }

    private static void fail(String cause) {
        System.err.println(cause);
        System.exit(1);
    }
}
