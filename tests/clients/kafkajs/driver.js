// KafkaJS behind the drivers' common command line; see ../README.md.
'use strict'

const { randomUUID } = require('node:crypto')
const fs = require('node:fs')
const readline = require('node:readline')
const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = require('kafkajs')
const LZ4Codec = require('@2l/kafkajs-lz4')
const SnappyCodec = require('kafkajs-snappy')
const zstd = require('@bokuweb/zstd-wasm')

const LEAVE_LIMIT_MS = 10_000
const IDLE_LIMIT_MS = 30_000
// KafkaJS has no batching of its own: a send is as large as its caller makes it.
const MESSAGES_PER_SEND = 1000

const COMPRESSIONS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = new LZ4Codec().codec
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  // The size is that of the output when the frame does not tell its own.
  decompress: async buffer => Buffer.from(zstd.decompress(buffer, { defaultHeapSize: 16 << 20 })),
})

function emit(line) {
  fs.writeSync(1, JSON.stringify(line) + '\n')
}

function connectTo(bootstrap, settings) {
  return new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.WARN, ...settings })
}

function versions() {
  emit({
    client: 'kafkajs',
    version: require('kafkajs/package.json').version,
    compressions: Object.keys(COMPRESSIONS),
    idempotent: true,
    headers: true,
    timestamps: true,
    groups: true,
  })
}

async function create(bootstrap, topic, partitions) {
  const admin = connectTo(bootstrap).admin()
  await admin.connect()
  const created = await admin.createTopics({ topics: [{ topic, numPartitions: Number(partitions) }] })
  await admin.disconnect()
  if (!created) throw new Error(`topic ${topic} already exists`)
  emit({ created: topic })
}

async function newProducer(bootstrap) {
  // By default the client gives up on a broker that it cannot reach for a quarter of a minute.
  const retry = { retries: Number.MAX_SAFE_INTEGER, maxRetryTime: 1000 }
  const producer = connectTo(bootstrap, { retry }).producer({
    idempotent: true, // implies acks=all
    maxInFlightRequests: 1, // more would let a retry overtake
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  return producer
}

/** Sends the messages, waits for the acknowledgements and widens the partitions' offset ranges by them. */
async function send(producer, topic, compression, messages, ranges) {
  const sentTo = new Map()
  for (const { partition } of messages) sentTo.set(partition, (sentTo.get(partition) ?? 0) + 1)

  const acks = await producer.send({ topic, acks: -1, compression: COMPRESSIONS[compression], messages })
  for (const { partition, baseOffset } of acks) {
    if (!sentTo.has(partition)) throw new Error(`an acknowledgement for partition ${partition}, never asked for`)
    const last = Number(baseOffset) + sentTo.get(partition) - 1
    ranges[partition] = [ranges[partition]?.[0] ?? Number(baseOffset), last]
    sentTo.delete(partition)
  }
  if (sentTo.size > 0) throw new Error(`no acknowledgement for partitions ${[...sentTo.keys()]}`)
}

async function produce(bootstrap, topic, partitions, compression, first, count, baseMs = 1_700_000_000_000) {
  const [from, end] = [Number(first), Number(first) + Number(count)]
  const producer = await newProducer(bootstrap)
  const offsets = {}
  for (let start = from; start < end; start += MESSAGES_PER_SEND) {
    const messages = []
    for (let i = start; i < Math.min(start + MESSAGES_PER_SEND, end); i++) {
      messages.push({
        partition: i % Number(partitions),
        key: `k-${i}`,
        value: `v-${i}-${'x'.repeat(i % 200)}`,
        headers: { i: String(i), dup: ['a', 'b'], empty: '' },
        timestamp: String(Number(baseMs) + i),
      })
    }
    await send(producer, topic, compression, messages, offsets)
  }
  await producer.disconnect()
  emit({ produced: Number(count), offsets })
}

async function produceFile(bootstrap, topic, partitions, file, compression) {
  const producer = await newProducer(bootstrap)
  let count = 0
  let messages = []
  for await (const line of readline.createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity })) {
    messages.push({ partition: count % Number(partitions), value: line })
    count += 1
    if (messages.length < MESSAGES_PER_SEND) continue
    await send(producer, topic, compression, messages, {})
    messages = []
  }
  if (messages.length > 0) await send(producer, topic, compression, messages, {})
  await producer.disconnect()
  emit({ produced: count })
}

function text(data) {
  return data === null || data === undefined ? null : data.toString()
}

function emitRecord(partition, message) {
  // KafkaJS gives headers as an object: the values of a repeated name arrive as one array, at the place of the first.
  const headers = Object.entries(message.headers).flatMap(([name, value]) =>
    [value].flat().map(one => [name, text(one)])
  )
  emit({
    p: partition,
    o: Number(message.offset),
    k: text(message.key),
    v: text(message.value),
    h: headers,
    t: Number(message.timestamp),
  })
}

/** Calls `onMessage(partition, message)` for `count` messages of the topic; gives up after 30 s without one. */
async function readFromBeginning(bootstrap, topic, count, onMessage) {
  // KafkaJS reads through groups only, so a group that nobody else knows stands in for an explicit assignment.
  const consumer = connectTo(bootstrap).consumer({ groupId: `alone-${randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let read = 0
  await new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(`no record for ${IDLE_LIMIT_MS / 1000} s, ${read} of ${count} read`))
    const idle = setTimeout(giveUp, IDLE_LIMIT_MS)
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (read === count) return
        onMessage(partition, message)
        idle.refresh()
        read += 1
        if (read === count) resolve(clearTimeout(idle))
      },
    })
  })
  await consumer.disconnect()
}

function consume(bootstrap, topic, _partitions, count) {
  return readFromBeginning(bootstrap, topic, Number(count), emitRecord)
}

async function consumeFile(bootstrap, topic, partitions, count, out) {
  const waiting = Array.from({ length: Number(partitions) }, () => []) // read before the lines that precede them
  const lines = fs.createWriteStream(out)
  let written = 0
  await readFromBeginning(bootstrap, topic, Number(count), (partition, message) => {
    waiting[partition].push(message.value)
    for (let own = waiting[written % waiting.length]; own.length > 0; own = waiting[written % waiting.length]) {
      lines.write(own.shift())
      lines.write('\n')
      written += 1
    }
  })
  await new Promise(resolve => lines.end(resolve))
  if (written !== Number(count)) throw new Error(`only ${written} records in an unbroken order`)
  emit({ consumed: written })
}

/** Leaves the group, and ends the process where that never ends. */
async function leave(consumer) {
  // This client (2.2.4) may wait for ever for a fetch on a connection that was reset while it was being opened.
  const stuck = setTimeout(() => {
    console.error(`disconnect does not end within ${LEAVE_LIMIT_MS / 1000} s`)
    process.exit(0)
  }, LEAVE_LIMIT_MS)
  await consumer.disconnect()
  clearTimeout(stuck)
  // Or again for a connection that it opens anew after it has left.
  process.stdout.write('', () => process.exit(0))
}

async function group(bootstrap, topic, groupId, sessionTimeout) {
  const settings = sessionTimeout === undefined ? {} : { sessionTimeout: Number(sessionTimeout) }
  const consumer = connectTo(bootstrap).consumer({ groupId, ...settings })
  let started
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const ms = Math.round((performance.now() - started) * 10) / 10
    emit({ assigned: (payload.memberAssignment[topic] ?? []).sort((a, b) => a - b), ms })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) process.exit(1) // the client has logged the cause
  })
  process.stdin.resume().on('end', () => leave(consumer))

  await consumer.connect()
  started = performance.now()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) emitRecord(batch.partition, message)
      await commit(consumer, topic, batch.partition, Number(batch.lastOffset()) + 1)
    },
  })
}

async function commit(consumer, topic, partition, nextOffset) {
  try {
    await consumer.commitOffsets([{ topic, partition, offset: String(nextOffset) }])
    emit({ committed: { [partition]: nextOffset } })
  } catch (error) { // the broker is away or the group rebalances: the records come again
    console.error(`commit failed: ${error.message}`)
  }
}

const COMMANDS = { versions, create, produce, consume, group, 'produce-file': produceFile, 'consume-file': consumeFile }

async function main([name, ...args]) {
  const command = COMMANDS[name]
  if (command === undefined) {
    console.error('unsupported')
    process.exit(64)
  }
  await zstd.init()
  await command(...args)
}

main(process.argv.slice(2)).catch(error => {
  console.error(error)
  process.exit(1)
})
