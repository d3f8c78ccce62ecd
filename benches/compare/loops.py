"""One record at a time, on librdkafka: what a person waits for.

    loops.py BOOTSTRAP topics COUNT           makes topics one by one
    loops.py BOOTSTRAP acks SECONDS           one record in flight, each waited for
    loops.py BOOTSTRAP end-to-end SECONDS RATE  from before a record is given to the producer until a consumer has it
    loops.py BOOTSTRAP changes TOPIC COUNT    from the clock's time in a captured row's column `at` until a consumer has it
    loops.py BOOTSTRAP group PROTOCOL         a fresh group's member, from its first poll to its first record

Prints one JSON object; times are in milliseconds.
"""

import json
import sys
import threading
import time
import uuid

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, what, *args = sys.argv[1:]
topic = f"{what}-{uuid.uuid4().hex[:8]}"


def quantiles(times):
    times.sort()
    at = lambda q: times[min(len(times) - 1, int(len(times) * q))] * 1000
    return {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "count": len(times)}


def create(name):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)


def topics(count):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.list_topics(timeout=30)
    begun = time.perf_counter()
    for n in range(int(count)):
        name = f"{topic}-{n}"
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    return {"total": (time.perf_counter() - begun) * 1000}


def acks(seconds):
    create(topic)
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    value, times = b"x" * 100, []

    def one():
        begun = time.perf_counter()
        producer.produce(topic, value, partition=0)
        producer.flush(30)
        return time.perf_counter() - begun

    for _ in range(500):
        one()
    until = time.perf_counter() + float(seconds)
    while time.perf_counter() < until:
        times.append(one())
    return quantiles(times)


def end_to_end(seconds, rate):
    create(topic)
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "fetch.wait.max.ms": 500})
    consumer.assign([TopicPartition(topic, 0, 0)])
    count, times = int(float(seconds) * int(rate)), []
    warm = int(rate)

    def consume():
        seen = 0
        while seen < warm + count:
            message = consumer.poll(30)
            now = time.perf_counter()
            if message is None:
                raise SystemExit("no record for 30 s")
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    continue
                raise SystemExit(str(message.error()))
            seen += 1
            if seen > warm:
                times.append(now - float(message.value()[:32]))

    reader = threading.Thread(target=consume)
    reader.start()
    begun = time.perf_counter()
    for n in range(warm + count):
        due = begun + n / int(rate)
        while (now := time.perf_counter()) < due:
            time.sleep(due - now)
        producer.produce(topic, f"{now:032.9f}".encode().ljust(100, b"x"), partition=0)
        producer.poll(0)
    producer.flush(30)
    reader.join(60)
    return quantiles(times)


def changes(topic, count):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": f"changes-{uuid.uuid4().hex[:8]}", "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    })
    consumer.assign([TopicPartition(topic, 0, 0)])
    times = []
    while len(times) < int(count):
        message = consumer.poll(60)
        now = time.time()
        if message is None:
            raise SystemExit("no change for a minute")
        if message.error():
            if message.error().code() in (KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART):
                continue
            raise SystemExit(str(message.error()))
        if (event := json.loads(message.value()))["op"] == "c":
            times.append(now - event["after"]["at"] / 1e6)
    # The first second warms both ends.
    return quantiles(times[int(count) // 20:])


def group(protocol):
    create(topic)
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, b"x", partition=0)
    producer.flush(30)
    conf = {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", "group.protocol": protocol}
    consumer = Consumer(conf)
    consumer.list_topics(topic, timeout=30)
    begun = time.perf_counter()
    consumer.subscribe([topic])
    while True:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            took = time.perf_counter() - begun
            break
        if time.perf_counter() - begun > 30:
            raise SystemExit("no record for 30 s")
    consumer.close()
    return {"first": took * 1000}


print(json.dumps({"topics": topics, "acks": acks, "end-to-end": end_to_end, "changes": changes, "group": group}[what](*args)))
