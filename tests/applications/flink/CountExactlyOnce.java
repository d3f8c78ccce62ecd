import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;

/**
 * Counts words on Flink's MiniCluster: CountExactlyOnce BOOTSTRAP FROM TO CHECKPOINTS FAIL_AT. Each word's count goes to
 * the other topic as "word count", in transactions that end with Flink's checkpoints. When FAIL_AT words were seen, the
 * job fails once and Flink restarts it. A process that is started anew goes on from the newest checkpoint.
 */
public final class CountExactlyOnce {
    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        Path checkpoints = Path.of(args[3]);
        var config = new Configuration();
        config.setString("execution.checkpointing.dir", checkpoints.toUri().toString());
        config.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
        config.setString("restart-strategy.type", "fixed-delay");
        config.setString("restart-strategy.fixed-delay.attempts", "50");
        config.setString("restart-strategy.fixed-delay.delay", "500ms");
        config.setString("taskmanager.memory.network.min", "16mb");
        config.setString("taskmanager.memory.network.max", "16mb");
        config.setString("taskmanager.memory.managed.size", "16mb");
        newest(checkpoints).ifPresent(path -> {
            System.out.println("from " + path);
            config.setString("execution.state-recovery.path", path.toUri().toString());
        });

        var environment = StreamExecutionEnvironment.createLocalEnvironment(2, config);
        environment.enableCheckpointing(500);
        var source = KafkaSource.<String>builder()
            .setBootstrapServers(bootstrap).setTopics(args[1]).setGroupId("flink")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setValueOnlyDeserializer(new SimpleStringSchema())
            .setProperty("isolation.level", "read_committed")
            .build();
        var sink = KafkaSink.<String>builder()
            .setBootstrapServers(bootstrap)
            .setRecordSerializer(KafkaRecordSerializationSchema.<String>builder()
                .setTopic(args[2]).setKeySerializationSchema(new WordOfCount())
                .setValueSerializationSchema(new SimpleStringSchema()).build())
            .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .setTransactionalIdPrefix("flink")
            .setProperty("transaction.timeout.ms", "60000")
            .build();
        environment.fromSource(source, WatermarkStrategy.noWatermarks(), "lines").uid("lines")
            .keyBy(word -> word)
            .flatMap(new Count(Long.parseLong(args[4]))).uid("count")
            .sinkTo(sink).uid("counts");
        environment.execute("count exactly once");
    }

    /** The newest checkpoint that was completed. */
    private static Optional<Path> newest(Path checkpoints) throws IOException {
        if (!Files.exists(checkpoints)) {
            return Optional.empty();
        }
        try (var paths = Files.walk(checkpoints)) {
            return paths.filter(path -> path.getFileName().toString().equals("_metadata"))
                .max(Comparator.comparing(path -> path.toFile().lastModified()))
                .map(Path::getParent);
        }
    }

    /** The record's key, so that a word's counts are in one partition. */
    private static final class WordOfCount implements SerializationSchema<String> {
        private static final long serialVersionUID = 1;

        @Override
        public byte[] serialize(String count) {
            return count.substring(0, count.indexOf(' ')).getBytes(StandardCharsets.UTF_8);
        }
    }

    /** Counts in keyed state, and fails once. */
    private static final class Count extends RichFlatMapFunction<String, String> {
        private static final long serialVersionUID = 1;
        private final long failAt;
        private transient ValueState<Long> count;
        private transient long seen;

        Count(long failAt) {
            this.failAt = failAt;
        }

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
        }

        @Override
        public void flatMap(String word, Collector<String> out) throws IOException {
            if (++seen == failAt && getRuntimeContext().getTaskInfo().getAttemptNumber() == 0) {
                System.out.println("failing on purpose");
                throw new IllegalStateException("failing on purpose");
            }
            long next = Optional.ofNullable(count.value()).orElse(0L) + 1;
            count.update(next);
            out.collect(word + " " + next);
        }
    }

    private CountExactlyOnce() {
    }
}
