"""kafka-python behind the drivers' common command line; see ../README.md."""

import json
import logging
import sys
import threading
import time
from collections import deque

import kafka
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

IDLE_LIMIT_S = 30


def emit(line):
    # One write per line: the rebalance callbacks come from the client's own thread.
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def versions():
    emit({
        "client": "kafka-python", "version": kafka.__version__,
        "compressions": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True, "headers": True, "timestamps": True, "groups": True,
    })


def create(bootstrap, topic, partitions):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({topic: {"num_partitions": int(partitions)}})
    admin.close()
    emit({"created": topic})


def new_producer(bootstrap, compression):
    return KafkaProducer(  # idempotent, acks=all and unlimited retries are its defaults
        bootstrap_servers=bootstrap,
        compression_type=None if compression == "none" else compression,
        delivery_timeout_ms=120_000,
    )


class Deliveries:
    """Collects the broker's answers to produced records, one offset range per partition."""

    def __init__(self):
        self.acknowledged = 0
        self.ranges = {}
        self.failure = None

    def expect(self, partition, future):
        future.add_callback(self.delivered, partition)
        future.add_errback(self.failed)

    def delivered(self, partition, metadata):
        if metadata.partition != partition:
            self.failure = self.failure or f"asked for partition {partition}, got {metadata.partition}"
        self.acknowledged += 1
        span = self.ranges.setdefault(partition, [metadata.offset, metadata.offset])
        span[0] = min(span[0], metadata.offset)
        span[1] = max(span[1], metadata.offset)

    def failed(self, error):
        self.failure = self.failure or f"delivery failed: {error!r}"

    def check(self, count):
        if self.failure or self.acknowledged != count:
            sys.exit(self.failure or f"{self.acknowledged} of {count} records acknowledged")


def produce(bootstrap, topic, partitions, compression, first, count, base_ms=1_700_000_000_000):
    partitions, first, count = int(partitions), int(first), int(count)
    producer = new_producer(bootstrap, compression)
    deliveries = Deliveries()
    for i in range(first, first + count):
        partition = i % partitions
        deliveries.expect(partition, producer.send(
            topic,
            partition=partition,
            key=f"k-{i}".encode(),
            value=f"v-{i}-".encode() + b"x" * (i % 200),
            headers=[("i", str(i).encode()), ("dup", b"a"), ("dup", b"b"), ("empty", b"")],
            timestamp_ms=int(base_ms) + i,
        ))
    producer.flush()
    deliveries.check(count)
    emit({"produced": count, "offsets": {str(p): r for p, r in sorted(deliveries.ranges.items())}})
    producer.close()


def produce_file(bootstrap, topic, partitions, file, compression):
    partitions = int(partitions)
    producer = new_producer(bootstrap, compression)
    deliveries = Deliveries()
    count = 0
    with open(file, "rb") as lines:
        for count, line in enumerate(lines, start=1):
            partition = (count - 1) % partitions
            deliveries.expect(partition, producer.send(topic, partition=partition, value=line.rstrip(b"\n")))
    producer.flush()
    deliveries.check(count)
    emit({"produced": count})
    producer.close()


def read_from_beginning(bootstrap, topic, partitions, count):
    """Yields `count` records of all partitions; gives up after 30 s without one."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    assignment = [TopicPartition(topic, p) for p in range(partitions)]
    consumer.assign(assignment)
    consumer.seek_to_beginning(*assignment)
    read, last_progress = 0, time.monotonic()
    while read < count:
        for records in consumer.poll(timeout_ms=100, max_records=min(500, count - read)).values():
            for record in records:
                yield record
                read, last_progress = read + 1, time.monotonic()
        if time.monotonic() - last_progress > IDLE_LIMIT_S:
            sys.exit(f"no record for {IDLE_LIMIT_S} s, {read} of {count} read")
    consumer.close()


def text(data):
    return None if data is None else bytes(data).decode()


def emit_record(record):
    emit({
        "p": record.partition, "o": record.offset,
        "k": text(record.key), "v": text(record.value),
        "h": [[name, text(value)] for name, value in record.headers],
        "t": record.timestamp,
    })


def consume(bootstrap, topic, partitions, count):
    for record in read_from_beginning(bootstrap, topic, int(partitions), int(count)):
        emit_record(record)


def consume_file(bootstrap, topic, partitions, count, out):
    partitions, count = int(partitions), int(count)
    waiting = [deque() for _ in range(partitions)]  # read before the lines that precede them
    written = 0
    with open(out, "wb") as lines:
        for record in read_from_beginning(bootstrap, topic, partitions, count):
            waiting[record.partition].append(record.value)
            while waiting[written % partitions]:
                lines.write(waiting[written % partitions].popleft() + b"\n")
                written += 1
    if written != count:
        sys.exit(f"{count} records read, but only {written} in an unbroken order")
    emit({"consumed": written})


class Rebalances(ConsumerRebalanceListener):
    """Prints every assignment with the time since it was made."""

    def __init__(self):
        self.started = time.monotonic()

    def on_partitions_assigned(self, assigned):
        ms = round((time.monotonic() - self.started) * 1000, 1)
        emit({"assigned": sorted(p.partition for p in assigned), "ms": ms})

    def on_partitions_revoked(self, revoked):
        if revoked:  # the client also calls this before its first assignment
            emit({"revoked": sorted(p.partition for p in revoked)})


def group(bootstrap, topic, group_id, session_timeout_ms=None):
    settings = {"session_timeout_ms": int(session_timeout_ms)} if session_timeout_ms else {}
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group_id,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **settings,
    )
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()

    consumer.subscribe([topic], listener=Rebalances())
    while not stop.is_set():
        next_offsets = {}
        # Not shorter: where a poll's time runs out while a leader rejoins for new metadata, this client (3.0.12)
        # takes itself for joined and never looks at its assignment.
        for records in consumer.poll(timeout_ms=1000).values():
            for record in records:
                emit_record(record)
                next_offsets[record.partition] = record.offset + 1
        if next_offsets:
            commit(consumer, topic, next_offsets)
    consumer.close()


def commit(consumer, topic, next_offsets):
    try:
        consumer.commit({TopicPartition(topic, p): OffsetAndMetadata(o, "", -1) for p, o in next_offsets.items()})
        emit({"committed": {str(p): offset for p, offset in sorted(next_offsets.items())}})
    except KafkaError as error:  # the broker is away or the group rebalances: the records come again
        print(f"commit failed: {error!r}", file=sys.stderr)


COMMANDS = {
    "versions": versions, "create": create, "produce": produce, "consume": consume, "group": group,
    "produce-file": produce_file, "consume-file": consume_file,
}

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None:
        print("unsupported", file=sys.stderr)
        sys.exit(64)
    command(*sys.argv[2:])
