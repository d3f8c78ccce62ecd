"""aiokafka behind the drivers' common command line; see ../README.md."""

import asyncio
import json
import logging
import sys
import threading
import time
from collections import deque

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

IDLE_LIMIT_S = 30


def emit(line):
    print(json.dumps(line, separators=(",", ":")), flush=True)


async def versions():
    emit({
        "client": "aiokafka", "version": aiokafka.__version__,
        "compressions": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True, "headers": True, "timestamps": True, "groups": True,
    })


async def create(bootstrap, topic, partitions):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    response = await admin.create_topics([NewTopic(topic, int(partitions), 1)])
    await admin.close()
    for name, code, message in response.topic_errors:  # the client does not raise them
        if code:
            raise for_code(code)(f"{name}: {message}")
    emit({"created": topic})


def new_producer(bootstrap, compression):
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type=None if compression == "none" else compression,
        enable_idempotence=True,  # implies acks=all and unlimited retries
        request_timeout_ms=120_000,
    )


class Deliveries:
    """Collects the broker's answers to produced records, one offset range per partition."""

    def __init__(self):
        self.acknowledged = 0
        self.ranges = {}
        self.failure = None

    def expect(self, partition, future):
        future.add_done_callback(lambda done: self.delivered(partition, done))

    def delivered(self, partition, future):
        if future.exception() is not None:
            self.failure = self.failure or f"delivery failed: {future.exception()!r}"
            return
        metadata = future.result()
        if metadata.partition != partition:
            self.failure = self.failure or f"asked for partition {partition}, got {metadata.partition}"
        self.acknowledged += 1
        span = self.ranges.setdefault(partition, [metadata.offset, metadata.offset])
        span[0] = min(span[0], metadata.offset)
        span[1] = max(span[1], metadata.offset)

    def check(self, count):
        if self.failure or self.acknowledged != count:
            sys.exit(self.failure or f"{self.acknowledged} of {count} records acknowledged")


async def produce(bootstrap, topic, partitions, compression, first, count, base_ms=1_700_000_000_000):
    partitions, first, count = int(partitions), int(first), int(count)
    deliveries = Deliveries()
    async with new_producer(bootstrap, compression) as producer:
        for i in range(first, first + count):
            partition = i % partitions
            deliveries.expect(partition, await producer.send(
                topic,
                partition=partition,
                key=f"k-{i}".encode(),
                value=f"v-{i}-".encode() + b"x" * (i % 200),
                headers=[("i", str(i).encode()), ("dup", b"a"), ("dup", b"b"), ("empty", b"")],
                timestamp_ms=int(base_ms) + i,
            ))
        await producer.flush()
    deliveries.check(count)
    emit({"produced": count, "offsets": {str(p): r for p, r in sorted(deliveries.ranges.items())}})


async def produce_file(bootstrap, topic, partitions, file, compression):
    partitions = int(partitions)
    deliveries = Deliveries()
    count = 0
    async with new_producer(bootstrap, compression) as producer:
        with open(file, "rb") as lines:
            for count, line in enumerate(lines, start=1):
                partition = (count - 1) % partitions
                sent = await producer.send(topic, partition=partition, value=line.rstrip(b"\n"))
                deliveries.expect(partition, sent)
        await producer.flush()
    deliveries.check(count)
    emit({"produced": count})


async def read_from_beginning(bootstrap, topic, partitions, count):
    """Yields `count` records of all partitions; gives up after 30 s without one."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    async with consumer:
        assignment = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(assignment)
        await consumer.seek_to_beginning(*assignment)
        read, last_progress = 0, time.monotonic()
        while read < count:
            batches = await consumer.getmany(timeout_ms=100, max_records=min(500, count - read))
            for record in (record for records in batches.values() for record in records):
                yield record
                read, last_progress = read + 1, time.monotonic()
            if time.monotonic() - last_progress > IDLE_LIMIT_S:
                sys.exit(f"no record for {IDLE_LIMIT_S} s, {read} of {count} read")


def text(data):
    return None if data is None else data.decode()


def emit_record(record):
    emit({
        "p": record.partition, "o": record.offset,
        "k": text(record.key), "v": text(record.value),
        "h": [[name, text(value)] for name, value in record.headers],
        "t": record.timestamp,
    })


async def consume(bootstrap, topic, partitions, count):
    async for record in read_from_beginning(bootstrap, topic, int(partitions), int(count)):
        emit_record(record)


async def consume_file(bootstrap, topic, partitions, count, out):
    partitions, count = int(partitions), int(count)
    waiting = [deque() for _ in range(partitions)]  # read before the lines that precede them
    written = 0
    with open(out, "wb") as lines:
        async for record in read_from_beginning(bootstrap, topic, partitions, count):
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


async def group(bootstrap, topic, group_id, session_timeout_ms=None):
    settings = {"session_timeout_ms": int(session_timeout_ms)} if session_timeout_ms else {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group_id,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **settings,
    )
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(
        target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(stop.set)), daemon=True
    ).start()

    consumer.subscribe([topic], listener=Rebalances())
    await consumer.start()
    while not stop.is_set():
        next_offsets = {}
        for records in (await consumer.getmany(timeout_ms=100)).values():
            for record in records:
                emit_record(record)
                next_offsets[record.partition] = record.offset + 1
        if next_offsets:
            await commit(consumer, topic, next_offsets)
    await consumer.stop()


async def commit(consumer, topic, next_offsets):
    try:
        await consumer.commit({TopicPartition(topic, p): offset for p, offset in next_offsets.items()})
        emit({"committed": {str(p): offset for p, offset in sorted(next_offsets.items())}})
    except KafkaError as error:  # the broker is away or the group rebalances: the records come again
        print(f"commit failed: {error!r}", file=sys.stderr)


COMMANDS = {
    "versions": versions, "create": create, "produce": produce, "consume": consume, "group": group,
    "produce-file": produce_file, "consume-file": consume_file,
}

if __name__ == "__main__":
    # Producing while the broker is away, the client logs ten thousand errors a second and tries again at once.
    logging.basicConfig(level=logging.CRITICAL)
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None:
        print("unsupported", file=sys.stderr)
        sys.exit(64)
    asyncio.run(command(*sys.argv[2:]))
