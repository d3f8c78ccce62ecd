import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * Counts words exactly once: WordCount BOOTSTRAP APPLICATION_ID PROTOCOL STATE_DIR LINES COUNTS. Words are grouped by a
 * new key, so that there is a repartition topic, and counted in a store that has a changelog. Once a second it prints the
 * whole store, by an interactive query: "store total=N word=n word=n ...".
 */
public final class WordCount {
    public static void main(String[] args) throws InterruptedException {
        var config = new Properties();
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        config.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, args[2]);
        config.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(args[3]).toString());
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        config.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        if (args[2].equals("classic")) {
            config.put(StreamsConfig.consumerPrefix("session.timeout.ms"), "6000");
        }
        config.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), "10000");

        var builder = new StreamsBuilder();
        builder.stream(args[4], Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .map((key, word) -> new KeyValue<>(word, ""))
            .groupByKey(Grouped.with("words", Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()).withCachingDisabled())
            .toStream()
            .mapValues(count -> Long.toString(count))
            .to(args[5], Produced.with(Serdes.String(), Serdes.String()));

        var streams = new KafkaStreams(builder.build(config), config);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        var closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(20));
            closed.countDown();
        }));
        streams.start();
        while (closed.getCount() > 0) {
            Thread.sleep(500);
            if (streams.state() == KafkaStreams.State.RUNNING) {
                printStore(streams);
            }
        }
    }

    private static void printStore(KafkaStreams streams) {
        var counts = new TreeMap<String, Long>();
        try {
            var store = streams.store(StoreQueryParameters.fromNameAndType("counts",
                QueryableStoreTypes.<String, Long>keyValueStore()));
            try (var all = store.all()) {
                all.forEachRemaining(entry -> counts.put(entry.key, entry.value));
            }
        } catch (InvalidStateStoreException migrated) {
            return; // a rebalance is under way
        }
        var line = new StringBuilder("store total=" + counts.values().stream().mapToLong(n -> n).sum());
        counts.forEach((word, count) -> line.append(' ').append(word).append('=').append(count));
        System.out.println(line);
    }

    private WordCount() {
    }
}
