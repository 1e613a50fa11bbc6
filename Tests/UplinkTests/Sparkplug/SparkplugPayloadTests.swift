import NIOCore
import Sensing
import TestSupport
import Testing
import Units

@testable import Uplink

@Suite struct SparkplugPayloadTests {
    /// The bytes as one reads them off the schema, field by field.
    @Test(
        arguments: [
            (SparkplugPayload(), []),
            (SparkplugPayload(time: Timestamp(milliseconds: 300), seq: 0), [0x08, 0xAC, 0x02, 0x18, 0x00]),
            (
                SparkplugPayload(seq: 255, metrics: [SparkplugMetric("a", .double(1), type: .double)]),
                [0x12, 14, 0x0A, 1, 0x61, 0x20, 10, 0x69, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x18, 0xFF, 0x01]
            ),
            (
                SparkplugPayload(metrics: [SparkplugMetric("bdSeq", .long(7), type: .int64)]),
                [0x12, 11, 0x0A, 5] + Array("bdSeq".utf8) + [0x20, 4, 0x58, 7]
            ),
            (
                SparkplugPayload(metrics: [SparkplugMetric("x", nil, quality: .stale)]),
                [0x12, 23, 0x0A, 1, 0x78, 0x38, 1, 0x4A, 16, 0x0A, 7] + Array("Quality".utf8)
                    + [0x12, 5, 0x08, 3, 0x18, 0xF4, 0x03]
            ),
        ] as [(SparkplugPayload, [UInt8])])
    func payloadsAreWrittenAsTheSchemaSays(payload: SparkplugPayload, bytes: [UInt8]) throws {
        #expect(Array(payload.encoded.readableBytesView) == bytes)
        #expect(try SparkplugPayload(decoding: bytes[...]) == payload)
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        var generator = SplitMix64(seed: 7)
        for _ in 0..<2000 {
            let payload = SparkplugPayload.random(using: &generator)
            #expect(try SparkplugPayload(decoding: payload.encoded) == payload)
        }
    }

    @Test(
        arguments: [
            // Unknown fields of each kind, in the payload and in a metric.
            [0xA0, 0x1F, 0x05, 0x12, 0x0A, 0x0A, 1, 0x61, 0x70, 0x01, 0xFA, 0x01, 0x02, 9, 9, 0x18, 3],
            // A data set, a template and metadata.
            [0x12, 0x0B, 0x0A, 1, 0x61, 0x42, 1, 0, 0x70, 1, 0x92, 0x01, 0, 0x18, 3],
        ] as [[UInt8]])
    func whatIsNotKnownIsSkipped(bytes: [UInt8]) throws {
        let payload = try SparkplugPayload(decoding: bytes[...])
        #expect(payload.metrics.map(\.name) == ["a"])
        #expect(payload.seq == 3)
    }

    @Test(
        arguments: [
            [0x08], [0x08, 0xFF], [0x12, 5, 0x0A], [0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
            [0x00, 0x00], [0x0B], [0x0C], [0x0F], [0x12, 2, 0x0A, 7], [0x12, 3, 0x0A, 1, 0xFF],
            [0x12, 2, 0x65, 1], [0x08] + [UInt8](repeating: 0x80, count: 11),
        ] as [[UInt8]])
    func whatIsMalformedThrows(bytes: [UInt8]) {
        #expect(throws: InvalidText.self) { try SparkplugPayload(decoding: bytes[...]) }
    }

    @Test func thereAreNotEndlesslyManyMetrics() {
        let bytes = (0...SparkplugPayload.maximumMetrics).flatMap { _ in [0x12, 0] as [UInt8] }
        #expect(throws: InvalidText.self) { try SparkplugPayload(decoding: bytes[...]) }
        #expect(throws: Never.self) { try SparkplugPayload(decoding: bytes.dropLast(2)) }
    }

    @Test func noBytesTrap() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix64(seed: seed)
        var understood = 0
        for round in 0..<20_000 {
            var bytes: [UInt8]
            if round % 2 == 0 {
                bytes = generator.bytes(Int(generator.next() % 64))
            } else {
                bytes = Array(SparkplugPayload.random(using: &generator).encoded.readableBytesView)
                for _ in 0...(generator.next() % 4) where !bytes.isEmpty {
                    let index = Int(generator.next() % UInt64(bytes.count))
                    switch generator.next() % 3 {
                    case 0: bytes[index] = UInt8(truncatingIfNeeded: generator.next())
                    case 1: bytes.remove(at: index)
                    default: bytes = Array(bytes.prefix(index))
                    }
                }
            }
            guard let payload = try? SparkplugPayload(decoding: bytes[...]) else { continue }
            understood += 1
            for metric in payload.metrics { _ = metric.value?.reading(as: metric.type) }
            // What was understood can be said again, and means the same.
            let again = try? SparkplugPayload(decoding: payload.encoded)
            #expect(again?.metrics.count == payload.metrics.count, "seed \(seed)")
        }
        #expect(understood > 1000)
    }

    @Test(
        arguments: [
            (.int(0xFFFF_FFFF), .int32, .number(-1)), (.int(0xFFFF_FFFF), .uint32, .number(4_294_967_295)),
            (.int(0xFF), .int8, .number(-1)), (.int(0x8000), .int16, .number(-32768)), (.int(5), nil, .number(5)),
            (.long(.max), .int64, .number(-1)), (.long(.max), .uint64, .number(18_446_744_073_709_551_616)),
            (.float(0.5), .float, .number(0.5)), (.double(.nan), .double, nil), (.float(.infinity), .float, nil),
            (.boolean(true), .boolean, .boolean(true)), (.string("on"), .text, .text("on")), (.bytes([1]), .bytes, nil),
            (.other, .template, nil),
        ] as [(SparkplugValue, SparkplugType?, Reading.Value?)])
    func valuesAreReadByTheirType(value: SparkplugValue, type: SparkplugType?, reading: Reading.Value?) {
        #expect(value.reading(as: type) == reading)
    }
}

extension SparkplugPayload {
    static func random(using generator: inout SplitMix64) -> SparkplugPayload {
        var payload = SparkplugPayload()
        if Bool.random(using: &generator) {
            payload.time = Timestamp(milliseconds: .random(in: 0 ... .max, using: &generator))
        }
        if Bool.random(using: &generator) { payload.seq = .random(in: 0...255, using: &generator) }
        payload.metrics = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
            let values: [SparkplugValue?] = [
                nil, .int(.random(in: 0 ... .max, using: &generator)),
                .long(.random(in: 0 ... .max, using: &generator)),
                .float(.random(in: -1e6...1e6, using: &generator)),
                .double(.random(in: -1e99...1e99, using: &generator)),
                .boolean(.random(using: &generator)), .string("grün \(generator.next())"),
                .bytes(generator.bytes(Int(generator.next() % 200))),
            ]
            var metric = SparkplugMetric(
                Bool.random(using: &generator) ? "m/\(generator.next())" : nil,
                values.randomElement(using: &generator) ?? nil,
                type: SparkplugType.allCases.randomElement(using: &generator),
                time: Timestamp(milliseconds: .random(in: 0...1 << 45, using: &generator)),
                quality: Bool.random(using: &generator)
                    ? SparkplugQuality.allCases.randomElement(using: &generator) : nil,
                unit: Bool.random(using: &generator) ? "µg/m³" : nil)
            metric.isHistorical = Bool.random(using: &generator)
            if Bool.random(using: &generator) { metric.alias = generator.next() }
            return metric
        }
        return payload
    }
}
