internal import Database
internal import MQTTServer
internal import OpenSSLTransport
internal import SQLite
internal import Settings
internal import StoreForward
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What this program is made of, and which files it knows: for `fieldpost version`, for whoever reports a bug, and for an
/// updater that wants to know beforehand whether two programs can follow one another.
public struct VersionReport: Sendable {
    let version = FieldpostVersion.string
    let architecture = Self.machine
    let isStatic = Self.hasNoInterpreter
    let compiler = Self.swift
    let openSSL = OpenSSLLibrary.version
    let sqlite = SQLiteLibrary.version
    let queue = Outbox.format
    let store = MQTTServer.storeFormat

    public init() {}

    public func lines(asJSON: Bool) -> [String] { asJSON ? [json.text] : text }

    private var text: [String] {
        [
            "fieldpost    \(version)",
            "built        for \(architecture), \(isStatic ? "static" : "dynamic"), with Swift \(compiler)",
            "speaks       MQTT 5.0 and 3.1.1 (the broker inside: 3.1 too)",
            "OpenSSL      \(openSSL)",
            "SQLite       \(sqlite)",
            "queue        \(Self.text(queue))",
            "store        \(Self.text(store)) (of the broker inside)",
        ]
    }

    private static func text(_ format: DatabaseFormat) -> String {
        let (written, readableFrom) = (format.version.written, format.version.readableFrom)
        let reads = written == 1 ? "reads it" : "reads 1 to \(written)"
        return "writes format \(written), which programs from format \(readableFrom) on can read; \(reads)"
    }

    private var json: JSON {
        [
            "name": .string("fieldpost"), "version": .string(version), "architecture": .string(architecture),
            "static": .boolean(isStatic), "swift": .string(compiler),
            "mqtt": .array([.string("5.0"), .string("3.1.1")]),
            "openssl": .string(openSSL), "sqlite": .string(sqlite), "queue": Self.json(queue),
            "store": Self.json(store),
        ]
    }

    private static func json(_ format: DatabaseFormat) -> JSON {
        [
            "writes": .integer(format.version.written), "readable_from": .integer(format.version.readableFrom),
            "reads": .array((1...format.version.written).map { .integer($0) }),
        ]
    }

    /// As `uname -m` calls it on a machine of this kind.
    private static var machine: String {
        #if arch(x86_64)
        "x86_64"
        #elseif arch(arm64)
        "aarch64"
        #elseif arch(arm)
        "arm"
        #elseif arch(riscv64)
        "riscv64"
        #else
        "unknown"
        #endif
    }

    /// The language's own version is not to be had at run time; what is newer than these is "6.4 or newer".
    private static var swift: String {
        #if compiler(>=6.4)
        "6.4 or newer"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }

    /// `AT_BASE` (getauxval(3)): where the dynamic linker is; 0 if there is none.
    private static var hasNoInterpreter: Bool {
        guard let bytes = try? SmallFile(path: "/proc/self/auxv", limit: 1 << 16).bytes else { return false }
        return bytes.withUnsafeBytes { bytes in
            let size = MemoryLayout<UInt>.size
            for offset in stride(from: 0, to: bytes.count - 2 * size + 1, by: 2 * size) {
                guard bytes.loadUnaligned(fromByteOffset: offset, as: UInt.self) == 7 else { continue }
                return bytes.loadUnaligned(fromByteOffset: offset + size, as: UInt.self) == 0
            }
            return true
        }
    }
}
