import Glibc
import MQTTWire
import TestSupport
import Testing

@Suite("The statements of the specifications")
struct CoverageTests {
    @Test("The lists of statements hold each number once")
    func lists() {
        for version in ProtocolVersion.standard {
            #expect(Set(Statements.of(version)).count == Statements.of(version).count)
        }
        #expect(Statements.v3_1_1.count == 141)
        #expect(Statements.v5.count == 251)
    }

    @Test("Every statement has a test or a reason why it has none, and never both", arguments: ProtocolVersion.standard)
    func coverage(_ version: ProtocolVersion) throws {
        let statements = Set(Statements.of(version))
        let tested = try Set(TestTitles.all().flatMap { $0.statements(of: version) })
        let excused = NotCovered.all.filter { $0.version == version }.map(\.statement)
        #expect(tested.subtracting(statements).sorted() == [], "titles name statements that do not exist")
        #expect(Set(excused).subtracting(statements).sorted() == [], "reasons for statements that do not exist")
        #expect(excused.count == Set(excused).count, "a statement has two reasons")
        #expect(tested.intersection(excused).sorted() == [], "a statement has a test and a reason to have none")
        let forgotten = statements.subtracting(tested).subtracting(excused).sorted()
        #expect(forgotten == [], "statements without a test and without a reason")
    }

    @Test("A title is read as it is meant")
    func titles() {
        let title = TestTitle("MQTT-1.5.3-1 (3.1.1), MQTT-1.5.4-1 (5.0), MQTT-4.7.3-1 (3.1.1, 5.0): as said (5.0): so")
        #expect(title.statements(of: .v3_1_1) == ["MQTT-1.5.3-1", "MQTT-4.7.3-1"])
        #expect(title.statements(of: .v5) == ["MQTT-1.5.4-1", "MQTT-4.7.3-1"])
        #expect(TestTitle("5.0 §3.3.2.3.3: nothing numbered").statements(of: .v5) == [])
    }
}

/// The title of a test, `MQTT-x (versions), MQTT-y (versions): what has to happen`.
struct TestTitle {
    private var statements: [(number: String, versions: [Substring])] = []

    init(_ title: String) {
        // The statements end with the first “: ”.
        var head = Substring(title)
        if let end = title.firstRange(of: ": ") { head = title[..<end.lowerBound] }
        for part in head.split(separator: ")") {
            guard let open = part.firstIndex(of: "("), let start = part.firstRange(of: "MQTT-") else { continue }
            let number = part[start.lowerBound..<open].filter { $0 != " " }
            let versions = part[part.index(after: open)...].split { $0 == "," || $0 == " " }
            statements.append((String(number), versions))
        }
    }

    func statements(of version: ProtocolVersion) -> [String] {
        statements.filter { $0.versions.contains { $0 == version.description } }.map(\.number)
    }
}

/// The titles of all tests of this target, read from its sources.
enum TestTitles {
    static func all(file: String = #filePath) throws -> [TestTitle] {
        let target = file.split(separator: "/").dropLast(2).joined(separator: "/")
        return try sources(in: "/" + target).flatMap { path in
            try titles(in: String(decoding: Authority.read(path), as: UTF8.self))
        }
    }

    /// What stands behind `@Test(` in quotes, on the same line or the next ones.
    private static func titles(in source: String) -> [TestTitle] {
        source.ranges(of: "@Test(").compactMap { range in
            let rest = source[range.upperBound...].drop { $0.isWhitespace }
            let quote = rest.hasPrefix(String(repeating: "\"", count: 3)) ? String(repeating: "\"", count: 3) : "\""
            guard rest.hasPrefix(quote) else { return nil }
            let title = rest.dropFirst(quote.count)
            guard let end = title.firstRange(of: quote) else { return nil }
            // A title over several lines.
            return TestTitle(String(title[..<end.lowerBound].filter { $0 != "\\" && $0 != "\n" }))
        }
    }

    private static func sources(in directory: String) throws -> [String] {
        guard let stream = opendir(directory) else { throw Surprise("the folder \(directory) cannot be read") }
        defer { closedir(stream) }
        var paths: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let path = "\(directory)/\(name)"
            if name.hasSuffix(".swift") {
                paths.append(path)
            } else if !name.hasPrefix(".") {
                paths += try sources(in: path)
            }
        }
        return paths
    }
}
