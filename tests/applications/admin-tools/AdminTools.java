import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's command-line tools in one JVM, one after the other. Each line of standard input is a tool's name or one of
 * this class's own commands, and its arguments, separated by tabs. The answer is what it printed, each line after "| ",
 * and then "= " and its exit code.
 */
public final class AdminTools {
    private static final Map<String, String> TOOLS = Map.ofEntries(
        Map.entry("kafka-acls", "org.apache.kafka.tools.AclCommand"),
        Map.entry("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand"),
        Map.entry("kafka-client-metrics", "org.apache.kafka.tools.ClientMetricsCommand"),
        Map.entry("kafka-cluster", "org.apache.kafka.tools.ClusterTool"),
        Map.entry("kafka-configs", "kafka.admin.ConfigCommand"),
        Map.entry("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
        Map.entry("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
        Map.entry("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
        Map.entry("kafka-features", "org.apache.kafka.tools.FeatureCommand"),
        Map.entry("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
        Map.entry("kafka-groups", "org.apache.kafka.tools.GroupsCommand"),
        Map.entry("kafka-leader-election", "org.apache.kafka.tools.LeaderElectionCommand"),
        Map.entry("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
        Map.entry("kafka-metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
        Map.entry("kafka-reassign-partitions", "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"),
        Map.entry("kafka-share-groups", "org.apache.kafka.tools.consumer.group.ShareGroupCommand"),
        Map.entry("kafka-streams-groups", "org.apache.kafka.tools.streams.StreamsGroupCommand"),
        Map.entry("kafka-topics", "org.apache.kafka.tools.TopicCommand"),
        Map.entry("kafka-transactions", "org.apache.kafka.tools.TransactionsCommand"));

    private static final PrintStream ANSWERS = System.out;
    private static final Map<String, Member> MEMBERS = new HashMap<>();
    private static final Map<String, KafkaProducer<String, String>> TRANSACTIONS = new HashMap<>();
    private static Integer exitCode;

    /** Ends a tool where it would have ended the process. Some tools catch it and print it. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1;

        Exited() {
            super("exited", null, false, false);
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }

    public static void main(String[] args) throws Exception {
        Exit.setExitProcedure((status, message) -> {
            if (exitCode == null) {
                exitCode = status;
            }
            throw new Exited();
        });
        Exit.setShutdownHookAdder((name, hook) -> { });
        var commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = commands.readLine()) != null; ) {
            String[] words = line.split("\t");
            run(words[0], Arrays.copyOfRange(words, 1, words.length));
        }
        System.exit(0);
    }

    private static void run(String command, String[] args) {
        var captured = new ByteArrayOutputStream();
        var out = new PrintStream(captured, true, StandardCharsets.UTF_8);
        System.setOut(out);
        System.setErr(out);
        exitCode = null;
        try {
            if (TOOLS.containsKey(command)) {
                Class.forName(TOOLS.get(command)).getMethod("main", String[].class).invoke(null, (Object) args);
            } else {
                own(command, args);
            }
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Exited)) {
                out.println("threw " + thrown.getCause());
                exitCode = 1;
            }
        } catch (Exception thrown) {
            out.println("threw " + thrown);
            exitCode = 1;
        }
        captured.toString(StandardCharsets.UTF_8).lines()
            .filter(line -> !line.startsWith("\tat ") && !line.equals("exited") && !line.isBlank())
            .forEach(line -> ANSWERS.println("| " + line));
        ANSWERS.println("= " + (exitCode == null ? 0 : exitCode));
        ANSWERS.flush();
    }

    private static void own(String command, String[] args) throws Exception {
        switch (command) {
            case "produce" -> produce(args[0], args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]));
            case "begin" -> begin(args[0], args[1], args[2], args[3]);
            case "commit" -> commit(args[0], args[1]);
            case "join" -> join(args[0], args[1], args[2], args[3], Integer.parseInt(args[4]));
            case "share" -> share(args[0], args[1], args[2], Integer.parseInt(args[3]));
            case "leave" -> MEMBERS.remove(args[0] + args[1]).leave();
            default -> throw new IllegalArgumentException(command);
        }
    }

    /** produce BOOTSTRAP TOPIC PARTITIONS COUNT: values v-0, v-1 and so on, one after the other. */
    private static void produce(String bootstrap, String topic, int partitions, int count) throws Exception {
        try (var producer = new KafkaProducer<String, String>(
                Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < count; i++) {
                long timestamp = 1_790_000_000_000L + i;
                producer.send(new ProducerRecord<>(topic, i % partitions, timestamp, "k-" + i, "v-" + i)).get();
            }
        }
    }

    /** begin BOOTSTRAP TRANSACTIONAL_ID TOPIC GROUP: a transaction with one record and one offset that stays open. */
    private static void begin(String bootstrap, String id, String topic, String group) throws Exception {
        var producer = new KafkaProducer<String, String>(
            Map.of("bootstrap.servers", bootstrap, "transactional.id", id), new StringSerializer(), new StringSerializer());
        TRANSACTIONS.put(bootstrap + id, producer);
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
        try (var outsider = new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap, "group.id", group),
                new StringDeserializer(), new StringDeserializer())) {
            var offsets = Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(1));
            producer.sendOffsetsToTransaction(offsets, outsider.groupMetadata());
        }
    }

    /** commit BOOTSTRAP TRANSACTIONAL_ID: ends what begin began. */
    private static void commit(String bootstrap, String id) throws Exception {
        try (var producer = TRANSACTIONS.remove(bootstrap + id)) {
            producer.commitTransaction();
        }
        // Kafka writes the markers after it has answered.
        try (var admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            TransactionState state;
            do {
                state = admin.describeTransactions(List.of(id)).description(id).get().state();
            } while (state == TransactionState.PREPARE_COMMIT);
        }
    }

    /** join BOOTSTRAP GROUP TOPIC PROTOCOL COUNT: a member that has read and committed so many records, and stays. */
    private static void join(String bootstrap, String group, String topic, String protocol, int count) throws Exception {
        var consumer = new KafkaConsumer<String, String>(
            Map.of("bootstrap.servers", bootstrap, "group.id", group, "group.protocol", protocol, "client.id", "member",
                "auto.offset.reset", "earliest", "enable.auto.commit", "false"),
            new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        begin(bootstrap + group, new Member(count, consumer::wakeup, consumer::close, () -> {
            int records = consumer.poll(Duration.ofMillis(100)).count();
            if (records > 0) {
                consumer.commitSync();
            }
            return records;
        }));
    }

    /** share BOOTSTRAP GROUP TOPIC COUNT: a member of a share group that has accepted so many records, and stays. */
    private static void share(String bootstrap, String group, String topic, int count) throws Exception {
        var consumer = new KafkaShareConsumer<String, String>(
            Map.of("bootstrap.servers", bootstrap, "group.id", group, "client.id", "member"),
            new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        begin(bootstrap + group, new Member(count, consumer::wakeup, consumer::close, () -> {
            int records = consumer.poll(Duration.ofMillis(100)).count();
            consumer.commitSync();
            return records;
        }));
    }

    private static void begin(String name, Member member) throws InterruptedException {
        MEMBERS.put(name, member);
        member.start();
        member.await();
    }

    /** A member of a group that polls on a thread of its own. */
    private static final class Member extends Thread {
        private final CountDownLatch awaited;
        private final Runnable wakeup;
        private final Runnable close;
        private final IntSupplier poll;
        private volatile boolean left;

        Member(int count, Runnable wakeup, Runnable close, IntSupplier poll) {
            awaited = new CountDownLatch(count);
            this.wakeup = wakeup;
            this.close = close;
            this.poll = poll;
            setDaemon(true);
        }

        @Override
        public void run() {
            try {
                while (!left) {
                    for (int records = poll.getAsInt(); records > 0; records--) {
                        awaited.countDown();
                    }
                }
            } catch (WakeupException woken) {
                // It is told to leave.
            }
            close.run();
        }

        void await() throws InterruptedException {
            if (!awaited.await(30, TimeUnit.SECONDS)) {
                throw new IllegalStateException(awaited.getCount() + " records did not come");
            }
        }

        void leave() throws InterruptedException {
            left = true;
            wakeup.run();
            join();
        }
    }

    private AdminTools() {
    }
}
