"""kcat (librdkafka) behind the drivers' common command line; see ../README.md.

kcat has no admin commands, and gives all records it produces the same headers and the current time. It commits by
itself and does not say what, so `group` prints no `committed` lines.
"""

import json
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

IDLE_LIMIT_S = 30


def kcat(*args):
    # The kernel ends kcat when this driver dies, however it dies. With -E kcat waits for brokers that went away.
    return ["setpriv", "--pdeathsig", "KILL", "kcat", "-E", *args]


def emit(line):
    # One write per line: records and rebalances are printed by different threads.
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def versions():
    banner = subprocess.run(kcat("-V"), capture_output=True, text=True).stdout
    kcat_version, librdkafka_version = re.search(r"Version (\S+) .*librdkafka (\S+)", banner).groups()
    emit({
        "client": "kcat", "version": f"{kcat_version} (librdkafka {librdkafka_version})",
        "compressions": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True, "headers": False, "timestamps": False, "groups": True,
    })


def create(bootstrap, topic, _partitions):
    """Asks for the topic's metadata until the broker has created it, with its own number of partitions."""
    for _ in range(50):
        listing = subprocess.run(kcat("-L", "-J", "-b", bootstrap, "-t", topic), capture_output=True, check=True)
        partitions = json.loads(listing.stdout)["topics"][0]["partitions"]
        if partitions:
            return emit({"created": topic, "auto": True, "partitions": len(partitions)})
        time.sleep(0.1)
    sys.exit(f"{topic} was not created by asking for its metadata")


def produce(bootstrap, topic, partitions, compression, first, count, _base_ms=None):
    partitions, first, count = int(partitions), int(first), int(count)

    def produce_partition(partition):
        """One kcat writes one partition; returns the offsets it was given."""
        own = [i for i in range(first, first + count) if i % partitions == partition]
        done = subprocess.run(
            kcat(
                "-P", "-b", bootstrap, "-t", topic, "-p", str(partition), "-K", "\t", "-vvv",
                "-X", f"compression.codec={compression}",
                "-X", "enable.idempotence=true",  # implies acks=all and unlimited retries
                "-X", "delivery.timeout.ms=120000",
            ),
            input="".join(f"k-{i}\tv-{i}-{'x' * (i % 200)}\n" for i in own),
            capture_output=True, text=True,
        )
        acks = re.findall(r"Message delivered to partition (\d+) \(offset (\d+)\)", done.stderr)
        if done.returncode != 0 or len(acks) != len(own) or any(int(p) != partition for p, _ in acks):
            raise RuntimeError(f"partition {partition}: {len(acks)} of {len(own)} acknowledged: {done.stderr[-1000:]}")
        return [int(offset) for _, offset in acks]

    offsets = {}
    with ThreadPoolExecutor(partitions) as pool:
        for partition, acked in enumerate(pool.map(produce_partition, range(partitions))):
            if acked:
                offsets[str(partition)] = [min(acked), max(acked)]
    emit({"produced": count, "offsets": offsets})


def emit_record(envelope):
    headers = envelope.get("headers", [])  # name, value, name, value, ...
    emit({
        "p": envelope["partition"], "o": envelope["offset"],
        "k": envelope["key"], "v": envelope["payload"],
        "h": [list(pair) for pair in zip(headers[0::2], headers[1::2])],
        "t": envelope["ts"],
    })


def consume(bootstrap, topic, _partitions, count):
    count, read = int(count), 0
    reader = subprocess.Popen(
        kcat("-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-c", str(count), "-J", "-u", "-q"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )
    last_progress = time.monotonic()

    def end_when_idle():
        while time.monotonic() - last_progress < IDLE_LIMIT_S:
            time.sleep(1)
        reader.kill()

    threading.Thread(target=end_when_idle, daemon=True).start()
    for line in reader.stdout:
        emit_record(json.loads(line))
        read, last_progress = read + 1, time.monotonic()
    if reader.wait() != 0 or read != count:
        sys.exit(f"kcat ended with {reader.returncode} after {read} of {count} records")


def group(bootstrap, topic, group_id, session_timeout_ms=None):
    session = ["-X", f"session.timeout.ms={session_timeout_ms}"] if session_timeout_ms else []
    started = time.monotonic()
    member = subprocess.Popen(
        kcat("-G", group_id, "-b", bootstrap, "-X", "auto.offset.reset=earliest", *session, "-J", "-u", topic),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    threading.Thread(target=lambda: (sys.stdin.read(), member.terminate()), daemon=True).start()

    def print_rebalances():
        for line in member.stderr:
            rebalanced = re.search(r"rebalanced \(.*\): (assigned|revoked): (.*)", line)
            if rebalanced is None:
                print(line, end="", file=sys.stderr)
                continue
            event = {rebalanced[1]: sorted(int(p) for p in re.findall(r"\[(\d+)\]", rebalanced[2]))}
            if rebalanced[1] == "assigned":
                event["ms"] = round((time.monotonic() - started) * 1000, 1)
            emit(event)

    rebalances = threading.Thread(target=print_rebalances)
    rebalances.start()
    for line in member.stdout:
        emit_record(json.loads(line))
    rebalances.join()
    sys.exit(member.wait())


COMMANDS = {"versions": versions, "create": create, "produce": produce, "consume": consume, "group": group}

if __name__ == "__main__":
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None:
        print("unsupported", file=sys.stderr)
        sys.exit(64)
    command(*sys.argv[2:])
