import Testing
import Units

@Suite struct ByteCountTests {
    @Test(
        "A size is read as people write it",
        arguments: [
            ("100B", 100), ("64MB", 64_000_000), ("64MiB", 67_108_864), ("512 kB", 512_000), ("512KB", 512_000),
            ("1KiB", 1024), ("1.5GiB", 1_610_612_736), ("2TB", 2_000_000_000_000), ("0.1KiB", 102), ("0B", 0),
            ("8388607TiB", 9_223_370_937_343_148_032),
        ] as [(String, Int64)])
    func read(text: String, bytes: Int64) throws {
        #expect(try ByteCount(parsing: text).bytes == bytes)
    }

    @Test(
        "What is none is refused with the mend",
        arguments: [
            ("64", #""64" has no unit: write "64B", "64kB" or "64MB""#),
            ("64M", #""64M" could count in thousands or in 1024s: write "64MB" or "64MiB""#),
            ("64k", #""64k" could count in thousands or in 1024s: write "64kB" or "64KiB""#),
            ("64mb", #""64mb" has the unknown unit "mb": known are B, kB, MB, GB, TB and KiB, MiB, GiB, TiB"#),
            ("1MB1kB", #""1MB1kB" is no size: write one like "512kB", "64MB" or "64MiB""#),
            ("big", #""big" is no size: write one like "512kB", "64MB" or "64MiB""#),
            ("8388608TiB", #""8388608TiB" is too large"#),
        ])
    func refused(text: String, answer: String) {
        let error = #expect(throws: InvalidText.self) { try ByteCount(parsing: text) }
        #expect(error?.description == answer)
    }

    @Test(
        "A size is printed in the unit that tells it shortest",
        arguments: [
            (0, "0B"), (999, "999B"), (1000, "1kB"), (1024, "1KiB"), (64_000_000, "64MB"), (67_108_864, "64MiB"),
            (1_234_567, "1.2MB"), (1_999_999, "1.9MB"), (2_048_001, "2MB"), (-1_234_567, "-1.2MB"),
            (Int64.max, "9223372TB"), (Int64.min, "-9223372TB"),
        ] as [(Int64, String)])
    func printed(bytes: Int64, text: String) {
        #expect(ByteCount(bytes: bytes).description == text)
    }
}
