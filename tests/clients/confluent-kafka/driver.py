"""confluent-kafka (librdkafka) behind the drivers' common command line; see ../README.md."""

import json
import sys
import threading
import time
from collections import deque

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

IDLE_LIMIT_S = 30


def emit(line):
    print(json.dumps(line, separators=(",", ":")), flush=True)


def versions():
    emit({
        "client": "confluent-kafka",
        "version": f"{confluent_kafka.__version__} (librdkafka {confluent_kafka.libversion()[0]})",
        "compressions": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True, "headers": True, "timestamps": True, "groups": True,
    })


def create(bootstrap, topic, partitions):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, int(partitions))])[topic].result()
    emit({"created": topic})


def new_producer(bootstrap, compression):
    return Producer({
        "bootstrap.servers": bootstrap,
        "compression.type": compression,
        "enable.idempotence": True,  # implies acks=all and unlimited retries
        "delivery.timeout.ms": 120_000,
    })


class Deliveries:
    """Collects the broker's answers to produced records, one offset range per partition."""

    def __init__(self):
        self.acknowledged = 0
        self.ranges = {}
        self.failure = None

    def expect(self, partition):
        """Returns the delivery callback of a record meant for `partition`."""
        def delivered(error, message):
            if error is not None:
                self.failure = self.failure or f"delivery failed: {error}"
            elif message.partition() != partition:
                self.failure = self.failure or f"asked for partition {partition}, got {message.partition()}"
            else:
                self.acknowledged += 1
                span = self.ranges.setdefault(partition, [message.offset(), message.offset()])
                span[0] = min(span[0], message.offset())
                span[1] = max(span[1], message.offset())
        return delivered

    def check(self, count):
        if self.failure or self.acknowledged != count:
            sys.exit(self.failure or f"{self.acknowledged} of {count} records acknowledged")


def send(producer, topic, **record):
    """Hands one record to the producer, serving its callbacks and waiting while its queue is full."""
    producer.poll(0)
    while True:
        try:
            return producer.produce(topic, **record)
        except BufferError:
            producer.poll(0.1)


def produce(bootstrap, topic, partitions, compression, first, count, base_ms=1_700_000_000_000):
    partitions, first, count = int(partitions), int(first), int(count)
    producer = new_producer(bootstrap, compression)
    deliveries = Deliveries()
    for i in range(first, first + count):
        partition = i % partitions
        send(
            producer, topic,
            partition=partition,
            key=f"k-{i}",
            value=f"v-{i}-" + "x" * (i % 200),
            headers=[("i", str(i)), ("dup", "a"), ("dup", "b"), ("empty", "")],
            timestamp=int(base_ms) + i,
            on_delivery=deliveries.expect(partition),
        )
    producer.flush()
    deliveries.check(count)
    emit({"produced": count, "offsets": {str(p): r for p, r in sorted(deliveries.ranges.items())}})


def produce_file(bootstrap, topic, partitions, file, compression):
    partitions = int(partitions)
    producer = new_producer(bootstrap, compression)
    deliveries = Deliveries()
    callbacks = [deliveries.expect(p) for p in range(partitions)]
    count = 0
    with open(file, "rb") as lines:
        for count, line in enumerate(lines, start=1):
            partition = (count - 1) % partitions
            send(producer, topic, partition=partition, value=line.rstrip(b"\n"), on_delivery=callbacks[partition])
    producer.flush()
    deliveries.check(count)
    emit({"produced": count})


def read_from_beginning(bootstrap, topic, partitions, count):
    """Yields `count` messages of all partitions; gives up after 30 s without one."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",  # the client insists on a name even when nothing joins or commits
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    })
    consumer.assign([TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING) for p in range(partitions)])
    read, last_progress = 0, time.monotonic()
    while read < count:
        for message in consumer.consume(min(500, count - read), timeout=0.1):
            if message.error():
                print(message.error(), file=sys.stderr)
                continue
            yield message
            read, last_progress = read + 1, time.monotonic()
        if time.monotonic() - last_progress > IDLE_LIMIT_S:
            sys.exit(f"no record for {IDLE_LIMIT_S} s, {read} of {count} read")
    consumer.close()


def text(data):
    return None if data is None else data.decode()


def emit_record(message):
    emit({
        "p": message.partition(), "o": message.offset(),
        "k": text(message.key()), "v": text(message.value()),
        "h": [[name, text(value)] for name, value in message.headers() or []],
        "t": message.timestamp()[1],
    })


def consume(bootstrap, topic, partitions, count):
    for message in read_from_beginning(bootstrap, topic, int(partitions), int(count)):
        emit_record(message)


def consume_file(bootstrap, topic, partitions, count, out):
    partitions, count = int(partitions), int(count)
    waiting = [deque() for _ in range(partitions)]  # read before the lines that precede them
    written = 0
    with open(out, "wb") as lines:
        for message in read_from_beginning(bootstrap, topic, partitions, count):
            waiting[message.partition()].append(message.value())
            while waiting[written % partitions]:
                lines.write(waiting[written % partitions].popleft() + b"\n")
                written += 1
    if written != count:
        sys.exit(f"{count} records read, but only {written} in an unbroken order")
    emit({"consumed": written})


def group(bootstrap, topic, group_id, session_timeout_ms=None, protocol="classic"):
    config = {
        "bootstrap.servers": bootstrap,
        "group.id": group_id,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    if session_timeout_ms and protocol == "classic":  # otherwise the timeout is the broker's to say
        config["session.timeout.ms"] = int(session_timeout_ms)
    consumer = Consumer(config)
    stop = stop_at_end_of_input()
    started = time.monotonic()

    owned = set()

    def emit_owned():
        emit({"assigned": sorted(owned), "ms": round((time.monotonic() - started) * 1000, 1)})

    def assigned(_, partitions):
        owned.update(p.partition for p in partitions)
        emit_owned()

    def revoked(_, partitions):
        owned.difference_update(p.partition for p in partitions)
        emit({"revoked": sorted(p.partition for p in partitions)})
        if owned:  # by the new protocol only some go, and nothing may follow
            emit_owned()

    consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    while not stop.is_set():
        next_offsets = {}
        for message in consumer.consume(500, timeout=0.1):
            if message.error():
                print(message.error(), file=sys.stderr)
                continue
            emit_record(message)
            next_offsets[message.partition()] = message.offset() + 1
        if next_offsets:
            commit(consumer, topic, next_offsets)
    consumer.close()


def stop_at_end_of_input():
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    return stop


def copy(bootstrap, from_topic, to_topic, group_id, transactional_id):
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group_id,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "session.timeout.ms": 6000,
    })
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": 10_000,
    })
    stop = stop_at_end_of_input()
    producer.init_transactions()
    consumer.subscribe([from_topic])
    batch = 0
    while not stop.is_set():
        messages = [message for message in consumer.consume(100, timeout=0.1) if not message.error()]
        if not messages:
            continue
        try:
            if batch % 3 == 0:  # nobody may ever see it
                producer.begin_transaction()
                for message in messages:
                    producer.produce(to_topic, "aborted", message.key(), message.partition())
                producer.flush()
                producer.abort_transaction()
            batch += 1
            producer.begin_transaction()
            next_offsets = {}
            for message in messages:
                producer.produce(to_topic, message.value(), message.key(), message.partition())
                next_offsets[message.partition()] = message.offset() + 1
            producer.send_offsets_to_transaction(
                [TopicPartition(from_topic, p, offset) for p, offset in next_offsets.items()],
                consumer.consumer_group_metadata(),
            )
            producer.commit_transaction()
            emit({"copied": len(messages)})
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise  # whoever runs this starts it again
            print(f"aborted: {error}", file=sys.stderr)
            producer.abort_transaction()
            for partition in consumer.committed(consumer.assignment()):
                partition.offset = max(partition.offset, 0)
                consumer.seek(partition)
    consumer.close()


def transact(bootstrap, topic, partitions, transactional_id, first):
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": 10_000,
        "reconnect.backoff.max.ms": 500,
    })
    stop = stop_at_end_of_input()
    producer.init_transactions()
    number = int(first)
    while not stop.is_set():
        committed = number % 3 != 0
        try:
            producer.begin_transaction()
            for partition in range(int(partitions)):
                producer.produce(topic, str(number), "committed" if committed else "aborted", partition)
            if committed:
                until_done(producer.commit_transaction)
            else:
                producer.flush()
                until_done(producer.abort_transaction)
            emit({"transaction": number, "committed": committed})
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise  # whoever runs this starts it again
            print(f"aborted: {error}", file=sys.stderr)
            until_done(producer.abort_transaction)
        number += 1
        time.sleep(0.005)


def until_done(act):
    while True:
        try:
            return act()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise


def commit(consumer, topic, next_offsets):
    try:
        consumer.commit(
            offsets=[TopicPartition(topic, p, offset) for p, offset in next_offsets.items()],
            asynchronous=False,
        )
        emit({"committed": {str(p): offset for p, offset in sorted(next_offsets.items())}})
    except KafkaException as error:  # the broker is away or the group rebalances: the records come again
        print(f"commit failed: {error}", file=sys.stderr)


COMMANDS = {
    "versions": versions, "create": create, "produce": produce, "consume": consume, "group": group, "copy": copy,
    "transact": transact,
    "produce-file": produce_file, "consume-file": consume_file,
}

if __name__ == "__main__":
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None:
        print("unsupported", file=sys.stderr)
        sys.exit(64)
    command(*sys.argv[2:])
