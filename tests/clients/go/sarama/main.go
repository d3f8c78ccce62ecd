// sarama behind the drivers' common command line; see ../../README.md.
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

	"github.com/IBM/sarama"
)

const idleLimit = 30 * time.Second

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
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
		if module.Path == "github.com/IBM/sarama" {
			version = strings.TrimPrefix(module.Version, "v")
		}
	}
	emit(map[string]any{
		"client": "sarama", "version": version,
		"compressions": []string{"none", "gzip", "snappy", "lz4", "zstd"},
		"idempotent":   true, "headers": true, "timestamps": true, "groups": true,
	})
}

func create(bootstrap, topic string, partitions int) {
	admin := must(sarama.NewClusterAdmin([]string{bootstrap}, sarama.NewConfig()))
	defer admin.Close()
	// A replication factor of -1 is the broker's default.
	detail := &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: -1}
	check(admin.CreateTopic(topic, detail, false))
	emit(map[string]any{"created": topic})
}

// producer writes records to the partitions they name and checks the acknowledgements.
type producer struct {
	client sarama.AsyncProducer
	topic  string
	done   chan struct{}
	acked  int
	ranges map[int32]*[2]int64 // first and last offset of each partition
	err    error
}

func newProducer(bootstrap, topic, compression string) *producer {
	config := sarama.NewConfig()
	config.Net.MaxOpenRequests = 1 // the idempotent producer asks for it
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	// By default it gives up within a second: three tries to produce and three to find the leader.
	config.Producer.Retry.Max, config.Producer.Retry.Backoff = 1200, 100*time.Millisecond
	config.Metadata.Retry.Max, config.Metadata.Retry.Backoff = 480, 250*time.Millisecond
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Compression = codecs[compression]
	config.Producer.Return.Successes = true
	p := &producer{
		client: must(sarama.NewAsyncProducer([]string{bootstrap}, config)),
		topic:  topic,
		done:   make(chan struct{}),
		ranges: map[int32]*[2]int64{},
	}
	go p.collect()
	return p
}

// send hands over a record; its Metadata keeps the partition asked for, because the client overwrites Partition.
func (p *producer) send(message *sarama.ProducerMessage) {
	message.Topic, message.Metadata = p.topic, message.Partition
	p.client.Input() <- message
}

func (p *producer) collect() {
	defer close(p.done)
	successes, failures := p.client.Successes(), p.client.Errors()
	for successes != nil || failures != nil {
		select {
		case message, open := <-successes:
			if !open {
				successes = nil
				continue
			}
			partition := message.Metadata.(int32)
			if message.Partition != partition {
				p.err = fmt.Errorf("asked for partition %d, got %d", partition, message.Partition)
			}
			p.acked++
			if span, ok := p.ranges[partition]; ok {
				span[0], span[1] = min(span[0], message.Offset), max(span[1], message.Offset)
			} else {
				p.ranges[partition] = &[2]int64{message.Offset, message.Offset}
			}
		case failure, open := <-failures:
			if !open {
				failures = nil
				continue
			}
			p.err = failure
		}
	}
}

// finish waits for all acknowledgements; count of them are expected.
func (p *producer) finish(count int) {
	p.client.AsyncClose()
	<-p.done
	check(p.err)
	if p.acked != count {
		exit(1, fmt.Sprintf("%d of %d records acknowledged", p.acked, count))
	}
}

func produce(bootstrap, topic string, partitions int, compression string, first, count, baseMs int) {
	p := newProducer(bootstrap, topic, compression)
	for i := first; i < first+count; i++ {
		p.send(&sarama.ProducerMessage{
			Partition: int32(i % partitions),
			Key:       sarama.StringEncoder(fmt.Sprintf("k-%d", i)),
			Value:     sarama.StringEncoder(fmt.Sprintf("v-%d-%s", i, strings.Repeat("x", i%200))),
			Headers: []sarama.RecordHeader{
				{Key: []byte("i"), Value: fmt.Append(nil, i)},
				{Key: []byte("dup"), Value: []byte("a")},
				{Key: []byte("dup"), Value: []byte("b")},
				{Key: []byte("empty"), Value: []byte{}},
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
		value := sarama.ByteEncoder(bytes.TrimSuffix(line, []byte("\n")))
		p.send(&sarama.ProducerMessage{Partition: int32(count % partitions), Value: value})
		count++
	}
	p.finish(count)
	emit(map[string]any{"produced": count})
}

// readFromBeginning calls each for count messages of all partitions; it gives up after 30 s without one.
func readFromBeginning(bootstrap, topic string, partitions, count int, each func(*sarama.ConsumerMessage)) {
	consumer := must(sarama.NewConsumer([]string{bootstrap}, sarama.NewConfig()))
	messages := make(chan *sarama.ConsumerMessage)
	for p := range int32(partitions) {
		partition := must(consumer.ConsumePartition(topic, p, sarama.OffsetOldest))
		go func() {
			for message := range partition.Messages() {
				messages <- message
			}
		}()
	}
	for read := 0; read < count; read++ {
		select {
		case message := <-messages:
			each(message)
		case <-time.After(idleLimit):
			exit(1, fmt.Sprintf("no record for %v, %d of %d read", idleLimit, read, count))
		}
	}
}

func text(data []byte) any {
	if data == nil {
		return nil
	}
	return string(data)
}

func emitRecord(message *sarama.ConsumerMessage) {
	headers := [][2]any{}
	for _, header := range message.Headers {
		headers = append(headers, [2]any{string(header.Key), text(header.Value)})
	}
	emit(map[string]any{
		"p": message.Partition, "o": message.Offset, "k": text(message.Key), "v": text(message.Value),
		"h": headers, "t": message.Timestamp.UnixMilli(),
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
	readFromBeginning(bootstrap, topic, partitions, count, func(message *sarama.ConsumerMessage) {
		waiting[message.Partition] = append(waiting[message.Partition], message.Value)
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

// member prints what its group session gives it; the client runs ConsumeClaim once for each partition.
type member struct {
	topic, groupID string
	admin          sarama.ClusterAdmin
	started        time.Time
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	partitions := append([]int32{}, session.Claims()[m.topic]...)
	slices.Sort(partitions)
	emit(map[string]any{"assigned": partitions, "ms": float64(time.Since(m.started).Microseconds()/100) / 10})
	return nil
}

func (m *member) Cleanup(session sarama.ConsumerGroupSession) error {
	if partitions := session.Claims()[m.topic]; len(partitions) > 0 {
		slices.Sort(partitions)
		emit(map[string]any{"revoked": partitions})
	}
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		emitRecord(message)
		for range len(claim.Messages()) { // the rest of what has been fetched
			message = <-claim.Messages()
			emitRecord(message)
		}
		session.MarkMessage(message, "")
		session.Commit()
		m.confirm(message.Partition, message.Offset+1)
	}
	return nil
}

// confirm asks the coordinator what is committed, because the client's Commit does not say whether it succeeded.
func (m *member) confirm(partition int32, next int64) {
	offsets, err := m.admin.ListConsumerGroupOffsets(m.groupID, map[string][]int32{m.topic: {partition}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "commit not confirmed:", err)
		return
	}
	if block := offsets.GetBlock(m.topic, partition); block == nil || block.Offset != next {
		fmt.Fprintln(os.Stderr, "commit failed: the records come again")
		return
	}
	emit(map[string]any{"committed": map[int32]int64{partition: next}})
}

func group(bootstrap, topic, groupID string, settings []string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()

	config := sarama.NewConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	if len(settings) > 0 {
		config.Consumer.Group.Session.Timeout = time.Duration(number(settings[0])) * time.Millisecond
	}
	client := must(sarama.NewConsumerGroup([]string{bootstrap}, groupID, config))
	handler := &member{
		topic: topic, groupID: groupID,
		admin:   must(sarama.NewClusterAdmin([]string{bootstrap}, sarama.NewConfig())),
		started: time.Now(),
	}
	for ctx.Err() == nil { // Consume returns at every rebalance and when the broker goes away
		if err := client.Consume(ctx, []string{topic}, handler); err != nil {
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	check(client.Close())
}

// copier writes what its claims give it, a transaction for each batch; the client's producer has one at a time.
type copier struct {
	to, groupID string
	producer    sarama.SyncProducer
	mu          sync.Mutex
	batch       int
}

func (c *copier) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (c *copier) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *copier) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		messages := []*sarama.ConsumerMessage{message}
		for range min(len(claim.Messages()), 99) { // the rest of what has been fetched
			messages = append(messages, <-claim.Messages())
		}
		if err := c.copy(session, messages); err != nil {
			return err // the next session begins with what is committed
		}
	}
	return nil
}

func (c *copier) copy(session sarama.ConsumerGroupSession, messages []*sarama.ConsumerMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if session.Context().Err() != nil {
		return nil
	}
	c.batch++
	if c.batch%3 == 0 { // nobody may ever see it
		check(c.producer.BeginTxn())
		if err := c.produce(messages, true); err != nil {
			return c.abort(err)
		}
		check(c.producer.AbortTxn())
	}
	check(c.producer.BeginTxn())
	if err := c.produce(messages, false); err != nil {
		return c.abort(err)
	}
	last := messages[len(messages)-1]
	member := sarama.NewConsumerGroupMetadataFromSession(session, c.groupID, nil)
	if err := c.producer.AddMessageToTxnWithGroupMetadata(last, member, nil); err != nil {
		return c.abort(err)
	}
	if err := c.producer.CommitTxn(); err != nil {
		return c.abort(err)
	}
	emit(map[string]any{"copied": len(messages)})
	return nil
}

func (c *copier) produce(messages []*sarama.ConsumerMessage, aborted bool) error {
	copies := []*sarama.ProducerMessage{}
	for _, message := range messages {
		value := message.Value
		if aborted {
			value = []byte("aborted")
		}
		copies = append(copies, &sarama.ProducerMessage{
			Topic: c.to, Partition: message.Partition,
			Key: sarama.ByteEncoder(message.Key), Value: sarama.ByteEncoder(value),
		})
	}
	return c.producer.SendMessages(copies)
}

// abort ends the transaction; if it cannot, this process ends, and whoever runs it starts it again.
func (c *copier) abort(cause error) error {
	fmt.Fprintln(os.Stderr, "aborted:", cause)
	check(c.producer.AbortTxn())
	return cause
}

func copyExactlyOnce(bootstrap, from, to, groupID, transactionalID string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	config := sarama.NewConfig()
	config.Net.MaxOpenRequests = 1
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Retry.Max, config.Producer.Retry.Backoff = 1200, 100*time.Millisecond
	config.Metadata.Retry.Max, config.Metadata.Retry.Backoff = 480, 250*time.Millisecond
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Transaction.ID = transactionalID
	config.Producer.Transaction.Timeout = 10 * time.Second
	config.Producer.Transaction.Retry.Max, config.Producer.Transaction.Retry.Backoff = 600, 100*time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	client := must(sarama.NewConsumerGroup([]string{bootstrap}, groupID, config))
	handler := &copier{
		to: to, groupID: groupID,
		producer: must(sarama.NewSyncProducer([]string{bootstrap}, config)),
	}
	for ctx.Err() == nil {
		if err := client.Consume(ctx, []string{from}, handler); err != nil {
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	check(client.Close())
}
