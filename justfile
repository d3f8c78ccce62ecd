# What there is to do.
default:
    @just --list

# Everything that must hold, with real clients.
test:
    scripts/test

# Without real clients: format, lints, unit and property tests.
quick:
    scripts/test quick

# Real applications: Kafka's tools, transactions, Streams, Connect with Debezium, MirrorMaker, Flink.
apps:
    scripts/test apps

# The same against Apache Kafka: whether the applications' tests are sound.
apps-oracle:
    SUBJECT=apache-kafka scripts/test apps

# So many requests of each area, drawn from a seed, to Apache Kafka and to Brooklet.
differential seed="20260921" steps="250":
    DIFFERENTIAL_SEED={{seed}} DIFFERENTIAL_STEPS={{steps}} \
        cargo test --package brooklet-tests --test differential

# What the real clients need, installed into .tools/.
setup *parts:
    scripts/setup {{parts}}

# Property tests at many times their usual number of cases, crashes from new seeds, then every client's story, so many times.
soak cases="20000" rounds="10":
    CRASH_SEED=${CRASH_SEED:-$(date +%s)} PROPTEST_CASES={{cases}} cargo test --release --workspace --exclude brooklet-tests --lib --tests
    for round in $(seq {{rounds}}); do cargo test --package brooklet-tests --test clients || exit 1; done

# 1,000 topics under a low, steady load for so many minutes: its memory may not grow.
endure minutes="60":
    SOAK_MINUTES={{minutes}} BROOKLET_BINARY=$(scripts/release) cargo test --package brooklet-tests --test storage_figures \
        -- --ignored --nocapture an_hour

# `kill -9` so many times, at moments drawn from a seed, under real clients; what they were told must be there.
crash rounds="200":
    CRASH_ROUNDS={{rounds}} cargo test --package brooklet-tests --test crash -- --nocapture

# The same of Brooklet, of PostgreSQL, and of what connects them, while changes are captured.
change-crash rounds="100":
    CRASH_ROUNDS={{rounds}} cargo test --package brooklet-tests --test change_crash -- --nocapture

# Change data capture from each version of PostgreSQL that there is, 13 to 18 (or those that are named).
postgres-versions *versions:
    scripts/setup postgres postgres-versions
    for version in $(echo {{versions}} | grep . || ls .tools/postgres); do \
        echo "=== PostgreSQL $version"; export POSTGRES_BIN=$PWD/.tools/postgres/$version/bin; \
        cargo test --package brooklet-connect-shim --test golden --test failures || exit 1; \
        cargo test --package brooklet-tests --test change_versions --test change_outages --test change_signals || exit 1; \
    done

# Each fuzz target for so many seconds (needs the nightly toolchain; installs cargo-fuzz if it is not there).
fuzz seconds="60":
    command -v cargo-fuzz > /dev/null || cargo install cargo-fuzz --locked
    for target in $(cargo +nightly fuzz list); do \
        cargo +nightly fuzz run $target -- -max_total_time={{seconds}} -rss_limit_mb=1024 || exit 1; \
    done

# Micro-benchmarks, and what has changed since benches/baseline.tsv (of one machine: benches/baseline.py says how to make another).
bench *args:
    cargo bench --package brooklet-benches {{args}}
    benches/baseline.py

# Brooklet beside Apache Kafka, the same clients on this machine: target/comparison. `just compare --help` says what else there is;
# `scripts/setup peers` before it, and `--peers`, for the other light brokers.
compare *args:
    scripts/setup kafka python kcat postgres connect debezium
    BROOKLET_BINARY=$(scripts/release) cargo run --release --quiet --package brooklet-benches --bin compare -- {{args}}

# Licences and sources of all dependencies (installs cargo-deny if it is not there).
deny:
    command -v cargo-deny > /dev/null || cargo install cargo-deny --locked
    cargo deny check bans licenses sources

# Figures of the static binary on this machine: size, start, memory, and what 10 GiB, 1,000 topics and 10,000 partitions
# cost (needs 15 GB of disk for some minutes).
figures:
    BROOKLET_BINARY=$(scripts/release) cargo test --package brooklet-tests --test figures --test storage_figures --test change_figures \
        -- --ignored --nocapture --test-threads=1 --skip an_hour

# The static binary: target/x86_64-unknown-linux-gnu/dist/brooklet.
release:
    scripts/release

# The container image, without a daemon: target/image/brooklet.tar.
image *architectures:
    scripts/image {{architectures}}

# Whether two builds of this commit in different places give the same binary and the same image (two release builds).
reproduce *target:
    scripts/reproduce {{target}}

# The Helm chart, as far as it can be judged without a cluster.
chart:
    scripts/setup chart
    tests/chart/check

# The chart and the image on a real API server, with pods that runc runs (root; CLUSTER_KIT names the kit that starts them).
cluster:
    scripts/setup chart cluster postgres
    tests/chart/cluster

# Rewrites what is generated in docs/, and the chart's README.
docs:
    UPDATE_DOCS=1 cargo test --package brooklet --lib compatibility
    UPDATE_DOCS=1 cargo test --package brooklet --test config
    UPDATE_DOCS=1 cargo test --package brooklet-tests --test clients
    scripts/setup chart
    .tools/bin/helm-docs --log-level error --chart-search-root helm
