// franz-go behind the drivers' common command line; see ../../README.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const idleLimit = 30 * time.Second

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func main() {
	if len(os.Args) < 2 {
		exit(64, "which command?")
	}
	args := os.Args[2:]
	switch os.Args[1] {
	case "versions":
		versions()
	case "create":
		create(args[0], args[1], number(args[2]))
	case "produce":
		baseMs := 1_700_000_000_000
		if len(args) > 6 {
			baseMs = number(args[6])
		}
		produce(args[0], args[1], number(args[2]), args[3], number(args[4]), number(args[5]), baseMs)
	case "produce-file":
		produceFile(args[0], args[1], number(args[2]), args[3], args[4])
	case "consume":
		consume(args[0], args[1], number(args[2]), number(args[3]))
	case "consume-file":
		consumeFile(args[0], args[1], number(args[2]), number(args[3]), args[4])
	case "group":
		group(args[0], args[1], args[2], args[3:])
	case "copy":
		copyExactlyOnce(args[0], args[1], args[2], args[3], args[4])
	default:
		exit(64, "unsupported")
	}
}

func exit(code int, cause any) {
	fmt.Fprintln(os.Stderr, cause)
	os.Exit(code)
}

func check(err error) {
	if err != nil {
		exit(1, err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func number(text string) int { return must(strconv.Atoi(text)) }

func emit(line any) {
	must(os.Stdout.Write(append(must(json.Marshal(line)), '\n')))
}

func versions() {
	version := ""
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			version = strings.TrimPrefix(module.Version, "v")
		}
	}
	emit(map[string]any{
		"client": "franz-go", "version": version,
		"compressions": []string{"none", "gzip", "snappy", "lz4", "zstd"},
		"idempotent":   true, "headers": true, "timestamps": true, "groups": true,
	})
}

func create(bootstrap, topic string, partitions int) {
	client := must(kgo.NewClient(kgo.SeedBrokers(bootstrap)))
	defer client.Close()
	// A replication factor of -1 is the broker's default.
	must(kadm.NewClient(client).CreateTopic(context.Background(), int32(partitions), -1, nil, topic))
	emit(map[string]any{"created": topic})
}

// producer writes records to the partitions they name and checks the acknowledgements.
// The client is idempotent, asks for acks=all and retries without limit by default.
type producer struct {
	client *kgo.Client
	mu     sync.Mutex
	acked  int
	ranges map[int32]*[2]int64 // first and last offset of each partition
	err    error
}

func newProducer(bootstrap, topic, compression string) *producer {
	return &producer{
		client: must(kgo.NewClient(
			kgo.SeedBrokers(bootstrap),
			kgo.DefaultProduceTopic(topic),
			kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerBatchCompression(codecs[compression]),
		)),
		ranges: map[int32]*[2]int64{},
	}
}

func (p *producer) send(record *kgo.Record) {
	partition := record.Partition
	p.client.Produce(context.Background(), record, func(acked *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err == nil && acked.Partition != partition {
			err = fmt.Errorf("asked for partition %d, got %d", partition, acked.Partition)
		}
		if err != nil {
			p.err = err
			return
		}
		p.acked++
		if span, ok := p.ranges[partition]; ok {
			span[0], span[1] = min(span[0], acked.Offset), max(span[1], acked.Offset)
		} else {
			p.ranges[partition] = &[2]int64{acked.Offset, acked.Offset}
		}
	})
}

// finish waits for all acknowledgements; count of them are expected.
func (p *producer) finish(count int) {
	check(p.client.Flush(context.Background()))
	p.client.Close()
	check(p.err)
	if p.acked != count {
		exit(1, fmt.Sprintf("%d of %d records acknowledged", p.acked, count))
	}
}

func produce(bootstrap, topic string, partitions int, compression string, first, count, baseMs int) {
	p := newProducer(bootstrap, topic, compression)
	for i := first; i < first+count; i++ {
		p.send(&kgo.Record{
			Partition: int32(i % partitions),
			Key:       fmt.Appendf(nil, "k-%d", i),
			Value:     fmt.Appendf(nil, "v-%d-%s", i, strings.Repeat("x", i%200)),
			Headers: []kgo.RecordHeader{
				{Key: "i", Value: fmt.Append(nil, i)},
				{Key: "dup", Value: []byte("a")},
				{Key: "dup", Value: []byte("b")},
				{Key: "empty", Value: []byte{}},
			},
			Timestamp: time.UnixMilli(int64(baseMs + i)),
		})
	}
	p.finish(count)
	emit(map[string]any{"produced": count, "offsets": p.ranges})
}

func produceFile(bootstrap, topic string, partitions int, file, compression string) {
	p := newProducer(bootstrap, topic, compression)
	lines := bufio.NewReader(must(os.Open(file)))
	count := 0
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != io.EOF {
			check(err)
		}
		p.send(&kgo.Record{Partition: int32(count % partitions), Value: bytes.TrimSuffix(line, []byte("\n"))})
		count++
	}
	p.finish(count)
	emit(map[string]any{"produced": count})
}

// readFromBeginning calls each for count records of all partitions; it gives up after 30 s without one.
func readFromBeginning(bootstrap, topic string, partitions, count int, each func(*kgo.Record)) {
	offsets := map[int32]kgo.Offset{}
	for p := range int32(partitions) {
		offsets[p] = kgo.NewOffset().AtStart()
	}
	client := must(kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
	))
	defer client.Close()
	for read := 0; read < count; {
		ctx, cancel := context.WithTimeout(context.Background(), idleLimit)
		fetches := client.PollRecords(ctx, count-read)
		cancel()
		if fetches.NumRecords() == 0 && ctx.Err() == context.DeadlineExceeded {
			exit(1, fmt.Sprintf("no record for %v, %d of %d read", idleLimit, read, count))
		}
		fetches.EachError(func(_ string, p int32, err error) { fmt.Fprintf(os.Stderr, "partition %d: %v\n", p, err) })
		fetches.EachRecord(each)
		read += fetches.NumRecords()
	}
}

func text(data []byte) any {
	if data == nil {
		return nil
	}
	return string(data)
}

func emitRecord(record *kgo.Record) {
	headers := [][2]any{}
	for _, header := range record.Headers {
		headers = append(headers, [2]any{header.Key, text(header.Value)})
	}
	emit(map[string]any{
		"p": record.Partition, "o": record.Offset, "k": text(record.Key), "v": text(record.Value),
		"h": headers, "t": record.Timestamp.UnixMilli(),
	})
}

func consume(bootstrap, topic string, partitions, count int) {
	readFromBeginning(bootstrap, topic, partitions, count, emitRecord)
}

func consumeFile(bootstrap, topic string, partitions, count int, out string) {
	file := must(os.Create(out))
	lines := bufio.NewWriter(file)
	waiting := make([][][]byte, partitions) // read before the lines that precede them
	written := 0
	readFromBeginning(bootstrap, topic, partitions, count, func(record *kgo.Record) {
		waiting[record.Partition] = append(waiting[record.Partition], record.Value)
		for own := &waiting[written%partitions]; len(*own) > 0; own = &waiting[written%partitions] {
			must(lines.Write((*own)[0]))
			check(lines.WriteByte('\n'))
			*own = (*own)[1:]
			written++
		}
	})
	check(lines.Flush())
	check(file.Close())
	if written != count {
		exit(1, fmt.Sprintf("%d records read, but only %d in an unbroken order", count, written))
	}
	emit(map[string]any{"consumed": written})
}

func group(bootstrap, topic, groupID string, settings []string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()

	// The client's default assignor is cooperative: it tells only what is added to or taken from what is owned.
	started := time.Now()
	owned := map[int32]bool{}
	emitOwned := func() {
		all := []int32{}
		for p := range owned {
			all = append(all, p)
		}
		slices.Sort(all)
		emit(map[string]any{"assigned": all, "ms": float64(time.Since(started).Microseconds()/100) / 10})
	}
	assigned := func(_ context.Context, _ *kgo.Client, added map[string][]int32) {
		for _, p := range added[topic] {
			owned[p] = true
		}
		emitOwned()
	}
	revoked := func(_ context.Context, _ *kgo.Client, removed map[string][]int32) {
		if len(removed[topic]) == 0 {
			return
		}
		for _, p := range removed[topic] {
			delete(owned, p)
		}
		slices.Sort(removed[topic])
		emit(map[string]any{"revoked": removed[topic]})
		emitOwned()
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(groupID),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(assigned),
		kgo.OnPartitionsRevoked(revoked),
		kgo.OnPartitionsLost(revoked),
	}
	if len(settings) > 1 && settings[1] == "consumer" {
		// The timeout is then the broker's to say.
		options = append(options, kgo.ServerSideBalancer())
	} else if len(settings) > 0 {
		options = append(options, kgo.SessionTimeout(time.Duration(number(settings[0]))*time.Millisecond))
	}
	client := must(kgo.NewClient(options...))
	defer client.Close()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		if ctx.Err() == nil {
			fetches.EachError(func(_ string, p int32, err error) { fmt.Fprintf(os.Stderr, "partition %d: %v\n", p, err) })
		}
		fetches.EachRecord(emitRecord)
		if fetches.NumRecords() > 0 {
			commit(client, fetches.Records())
		}
	}
}

func commit(client *kgo.Client, records []*kgo.Record) {
	next := map[int32]int64{}
	for _, record := range records {
		next[record.Partition] = record.Offset + 1
	}
	// On failure the broker is away or the group rebalances: the records come again.
	if err := client.CommitRecords(context.Background(), records...); err != nil {
		fmt.Fprintln(os.Stderr, "commit failed:", err)
		return
	}
	emit(map[string]any{"committed": next})
}

func copyExactlyOnce(bootstrap, from, to, groupID, transactionalID string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	session := must(kgo.NewGroupTransactSession(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(groupID),
		kgo.ConsumeTopics(from),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.SessionTimeout(6*time.Second),
		kgo.TransactionalID(transactionalID),
		kgo.TransactionTimeout(10*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	))
	defer session.Close()
	for batch := 0; ctx.Err() == nil; batch++ {
		fetches := session.PollRecords(ctx, 100)
		fetches.EachError(func(_ string, p int32, err error) { fmt.Fprintf(os.Stderr, "partition %d: %v\n", p, err) })
		if fetches.NumRecords() == 0 {
			continue
		}
		abort := batch%3 == 0 // nobody may ever see it; the session goes back to what is committed
		check(session.Begin())
		fetches.EachRecord(func(record *kgo.Record) {
			value := record.Value
			if abort {
				value = []byte("aborted")
			}
			session.Produce(ctx, &kgo.Record{Topic: to, Partition: record.Partition, Key: record.Key, Value: value}, nil)
		})
		committed, err := session.End(context.Background(), kgo.TransactionEndTry(!abort))
		check(err) // whoever runs this starts it again
		if committed {
			emit(map[string]any{"copied": fetches.NumRecords()})
		}
	}
}
